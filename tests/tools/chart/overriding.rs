//! What a user adds in place of what the chart sets by itself: the user's counts, and each name stands once.

use serde_json::{Value, json};

use crate::helm::{Helm, Rendering};
use crate::objects::strings;

#[test]
fn an_environment_variable_of_the_users_takes_the_place_of_the_charts() {
    let from_secret = "{name: HTTPS_PROXY, valueFrom: {secretKeyRef: {name: proxy, key: url}}}";
    let values = format!(
        "{{konnect: {{proxy: {{httpsProxy: 'http://proxy:3128', noProxy: .svc}}}}, log: {{filter: info}},
          extraEnv: [{{name: A, value: '1'}}, {from_secret}, {{name: RUST_LOG, value: debug}}, {{name: A, value: '2'}}]}}"
    );
    for helm in Helm::ALL {
        let objects = Rendering::of(&values).objects(helm);
        // In the user's order: a value may name a variable before it.
        let expected = json!([
            {"name": "NO_PROXY", "value": ".svc"},
            {"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
            {"name": "RUST_LOG", "value": "debug"},
            {"name": "A", "value": "2"},
        ]);
        assert_eq!(objects.operator()["env"], expected);
    }
}

#[test]
fn the_program_chooses_what_is_logged_unless_it_is_told() {
    for helm in Helm::ALL {
        assert_eq!(Rendering::of("").objects(helm).operator()["env"], Value::Null);
        let told = Rendering::of("log: {filter: debug}").objects(helm);
        assert_eq!(told.operator()["env"], json!([{"name": "RUST_LOG", "value": "debug"}]));
    }
}

#[test]
fn a_flag_of_the_users_takes_the_place_of_the_charts() {
    let values =
        "{konnect: {pollInterval: 10s, regions: [eu]}, emulator: {enabled: true, extraArgs: ['--listen=[::1]:8787']},
        extraArgs: [--lease-name=mine, --poll-interval=5s, --regions=us, --regions=in, --listen, '127.0.0.1:8080']}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let expected = [
            "run",
            "--konnect-url=https://rendered-konnect-replay-emulator.matrix.svc:8787/{region}",
            "--ca-bundle=/etc/konnect-replay/ca/ca.crt",
            "--lease-name=mine",
            "--poll-interval=5s",
            "--regions=us",
            "--regions=in",
            "--listen",
            "127.0.0.1:8080",
        ];
        assert_eq!(strings(&objects.operator()["args"]), expected);
        let emulator = &objects.of("Deployment", "emulator")["spec"]["template"]["spec"]["containers"][0];
        let listens: Vec<_> =
            strings(&emulator["args"]).into_iter().filter(|arg| arg.starts_with("--listen")).collect();
        assert_eq!(listens, ["--listen=[::1]:8787"]);
    }
}

#[test]
fn a_volume_of_the_users_takes_the_place_of_the_charts() {
    let values = "{konnect: {caBundle: {configMap: corporate}}, extraVolumes: [{name: ca, emptyDir: {}}, {name: b, emptyDir: {}}],
        extraVolumeMounts: [{name: b, mountPath: /b}, {name: b, mountPath: /etc/konnect-replay/ca}]}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let volumes = &objects.the("Deployment")["spec"]["template"]["spec"]["volumes"];
        assert_eq!(*volumes, json!([{"name": "ca", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]));
        let mounts = json!([{"name": "b", "mountPath": "/b"}, {"name": "b", "mountPath": "/etc/konnect-replay/ca"}]);
        assert_eq!(objects.operator()["volumeMounts"], mounts);
    }
}
