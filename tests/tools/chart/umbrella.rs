//! The chart as a dependency of another one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::cluster::Cluster;
use crate::helm::{CHART, Helm, Rendering};
use crate::objects::Objects;

/// An umbrella chart of its own for each test: the chart in `charts/`, with a condition.
fn umbrella(test: &str) -> PathBuf {
    aliased(test, "konnect-replay")
}

/// The same where values stand below `alias`.
fn aliased(test: &str, alias: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("umbrella-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("charts")).unwrap();
    let copied = Command::new("cp").arg("-r").arg(CHART).arg(folder.join("charts")).status().unwrap();
    assert!(copied.success());
    let dependency = format!("{{name: konnect-replay, alias: {alias}, version: 0.1.0, condition: {alias}.enabled}}");
    let chart = format!("apiVersion: v2\nname: umbrella\nversion: 0.0.1\ndependencies: [{dependency}]\n");
    fs::write(folder.join("Chart.yaml"), chart).unwrap();
    folder
}

#[test]
fn its_condition_turns_it_on_and_off() {
    let folder = umbrella("condition");
    for helm in Helm::ALL {
        let with = |values: &str| Rendering::of(values).chart(&folder).objects(helm).0.len();
        assert!(with("konnect-replay: {enabled: true}") > 8);
        assert_eq!(with("konnect-replay: {enabled: false}"), 0);
    }
}

/// An alias is a key of values, which templates reach by a dot: people write it with capitals or underscores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_with_capitals_or_underscores_gives_objects_that_the_api_server_takes() {
    let cluster = Cluster::with_namespaces(&["aliased"]).await;
    for (number, alias) in ["konnectReplay", "konnect_replay", "7Eu"].into_iter().enumerate() {
        let folder = aliased(alias, alias);
        let values = format!("{alias}: {{emulator: {{enabled: true}}, networkPolicy: {{enabled: true}}}}");
        for release in ["umbrella", "7"] {
            let rendering = Rendering::of(&values).chart(&folder).named(release, "aliased");
            let text = rendering.text(Helm::ALL[number % 2]).unwrap();
            cluster.takes(&format!("alias {alias} in release {release}"), &text);
        }
    }
}

#[test]
fn turned_off_without_a_condition_is_refused() {
    for helm in Helm::ALL {
        let said = Rendering::of("enabled: false").refusal(helm);
        assert!(said.contains("name it in the dependency's condition"), "{said}");
    }
}

#[test]
fn registry_and_pull_secrets_of_global_reach_every_pod() {
    let folder = umbrella("global");
    let values = "{global: {imageRegistry: 'mirror.local:5000/kong', imagePullSecrets: [one, {name: both}]},
        konnect-replay: {emulator: {enabled: true}, imagePullSecrets: [{name: both}, {name: two}]}}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).chart(&folder).objects(helm);
        let (images, secrets) = images_and_secrets(&objects);
        let image = |name: &str| format!("mirror.local:5000/kong/konnect-replay/{name}:0.1.0");
        assert_eq!(images, [image("konnect-emulator"), image("konnect-replay"), image("konnect-replay")]);
        assert_eq!(secrets, vec![vec!["one", "both", "two"]; 3]);
    }
}

#[test]
fn a_repository_without_a_registry_gets_that_of_global_before_it() {
    for helm in Helm::ALL {
        let image = |values: &str| Rendering::of(values).objects(helm).operator()["image"].as_str().unwrap().to_owned();
        let global = "global: {imageRegistry: mirror.local}";
        assert_eq!(
            image(&format!("{{{global}, image: {{repository: team/replay, tag: v1}}}}")),
            "mirror.local/team/replay:v1"
        );
        assert_eq!(
            image(&format!("{{{global}, image: {{repository: localhost/replay, tag: v1}}}}")),
            "mirror.local/replay:v1"
        );
        assert_eq!(image("image: {repository: team/replay, tag: v1}"), "team/replay:v1");
    }
}

fn images_and_secrets(objects: &Objects) -> (Vec<String>, Vec<Vec<&str>>) {
    let image = |pod: &crate::objects::Pods| pod.spec["containers"][0]["image"].as_str().unwrap().to_owned();
    let pods = objects.pods();
    let images = pods.iter().map(image).collect();
    let secrets = pods.iter().map(|pod| pod.spec["imagePullSecrets"].as_array().unwrap());
    (images, secrets.map(|list| list.iter().map(|secret| secret["name"].as_str().unwrap()).collect()).collect())
}
