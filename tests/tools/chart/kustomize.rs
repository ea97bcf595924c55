//! deploy/kustomize below the transformers of a user's own kustomization: what comes out is an install that works.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::cluster::{Cluster, kubectl};
use crate::objects::Objects;

/// What a kustomization gives that is laid over deploy/kustomize. `{deploy}` in it is the way there.
fn build(name: &str, kustomization: &str) -> String {
    // kustomize follows relative ways only.
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp/kustomize").join(name);
    fs::create_dir_all(&folder).unwrap();
    let text = kustomization.replace("{deploy}", "../../../../deploy/kustomize");
    fs::write(folder.join("kustomization.yaml"), text).unwrap();
    let output = kubectl(&["kustomize", folder.to_str().unwrap()], "", None);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn the<'a>(objects: &'a Objects, kind: &str, is: impl Fn(&Value) -> bool) -> &'a Value {
    objects.of_kind(kind).into_iter().find(|object| is(object)).unwrap_or_else(|| panic!("no such {kind}"))
}

fn deployment(objects: &Objects) -> &Value {
    objects.of_kind("Deployment")[0]
}

/// The namespaces that the operator has to watch; none are all.
fn watched(objects: &Objects) -> Vec<String> {
    let deployment = deployment(objects);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let flag = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|arg| arg.as_str()?.strip_prefix("--watch-namespaces="));
    let from_its_pod = container["env"].as_array().into_iter().flatten().filter(|variable| {
        variable["name"] == "KONNECT_REPLAY_WATCH_NAMESPACES"
            && variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    });
    let own = from_its_pod.map(|_| deployment["metadata"]["namespace"].as_str().unwrap().to_owned());
    flag.flat_map(|list| list.split(',')).map(str::to_owned).chain(own).collect()
}

/// Fails unless the operator's account has its rights where it watches, and its lease where it is.
fn has_its_rights(what: &str, objects: &Objects) {
    let deployment = deployment(objects);
    let namespace = &deployment["metadata"]["namespace"];
    let account = &deployment["spec"]["template"]["spec"]["serviceAccountName"];
    assert_eq!(objects.of_kind("ServiceAccount")[0]["metadata"]["name"], *account, "{what}");
    let bound = |binding: &Value| {
        let subject = &binding["subjects"][0];
        subject["name"] == *account && subject["namespace"] == *namespace
    };
    let role = |binding: &Value| {
        let place = &binding["metadata"]["namespace"];
        let named = |role: &Value| {
            role["metadata"]["name"] == binding["roleRef"]["name"] && role["metadata"]["namespace"] == *place
        };
        the(objects, binding["roleRef"]["kind"].as_str().unwrap(), named)["rules"].to_string()
    };
    let scopes = watched(objects);
    if scopes.is_empty() {
        assert!(role(the(objects, "ClusterRoleBinding", bound)).contains("auditlogreplayjobs/status"), "{what}");
    }
    for scope in &scopes {
        let here = |binding: &Value| {
            bound(binding)
                && binding["metadata"]["namespace"] == **scope
                && role(binding).contains("auditlogreplayjobs/status")
        };
        the(objects, "RoleBinding", here);
        assert!(objects.of_kind("ClusterRoleBinding").is_empty(), "{what} may act everywhere");
    }
    let leases = |binding: &Value| {
        bound(binding) && binding["metadata"]["namespace"] == *namespace && role(binding).contains("leases")
    };
    the(objects, "RoleBinding", leases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_overlay_below_each_transformer_is_an_install_that_works() {
    let cluster = Cluster::with_namespaces(&["konnect-replay", "platform-ops", "audit"]).await;
    let transformers = [
        ("plain", ""),
        ("namespace", "namespace: platform-ops\n"),
        ("prefix", "namePrefix: eu-\nnameSuffix: -one\n"),
        (
            "image",
            "images: [{name: ghcr.io/konnect-replay/konnect-replay, newName: mirror.local/replay, newTag: v1}]\n",
        ),
        ("replicas", "replicas: [{name: konnect-replay, count: 0}]\n"),
        (
            "all",
            "namespace: platform-ops\nnamePrefix: eu-\nimages: [{name: ghcr.io/konnect-replay/konnect-replay, newTag: v1}]\n",
        ),
    ];
    for overlay in ["cluster-wide", "namespaced"] {
        for (transformer, text) in transformers {
            let name = format!("{overlay}-{transformer}");
            let text = build(&name, &format!("{text}resources: [{{deploy}}/overlays/{overlay}]\n"));
            let objects = Objects::read(&text).unwrap();
            has_its_rights(&name, &objects);
            assert_eq!(watched(&objects).len(), usize::from(overlay == "namespaced"), "{name}");
            cluster.takes(&name, &text);
        }
    }
}

#[test]
fn transformers_change_what_they_name_and_nothing_else() {
    let namespace = build("moved", "namespace: platform-ops\nresources: [{deploy}/overlays/namespaced]\n");
    let namespace = Objects::read(&namespace).unwrap();
    assert_eq!(watched(&namespace), ["platform-ops"]);
    assert_eq!(namespace.of_kind("Namespace")[0]["metadata"]["name"], "platform-ops");
    let image = "images: [{name: ghcr.io/konnect-replay/konnect-replay, newName: mirror.local/replay, newTag: v1}]\n";
    let image = build("imaged", &format!("{image}resources: [{{deploy}}/overlays/cluster-wide]\n"));
    let image = Objects::read(&image).unwrap();
    assert_eq!(deployment(&image)["spec"]["template"]["spec"]["containers"][0]["image"], "mirror.local/replay:v1");
}

/// As docs/install.md says: the operator's namespace in one layer, what it watches in the next. A prefix may be in either.
#[test]
fn the_component_for_other_namespaces_leaves_the_operator_where_it_is() {
    for (number, (below, above)) in
        [("", ""), ("namePrefix: eu-\n", ""), ("", "namePrefix: eu-\n")].into_iter().enumerate()
    {
        let lower = format!("lower-{number}");
        build(&lower, &format!("namespace: platform-ops\n{below}resources: [{{deploy}}/overlays/cluster-wide]\n"));
        let upper = format!("{above}resources: [../{lower}]\ncomponents: [{{deploy}}/components/watch-audit]\n");
        let objects = Objects::read(&build(&format!("upper-{number}"), &upper)).unwrap();
        assert_eq!(watched(&objects), ["audit"]);
        assert_eq!(deployment(&objects)["metadata"]["namespace"], "platform-ops");
        has_its_rights(&upper, &objects);
    }
}

#[test]
fn pods_run_on_linux_and_name_no_user() {
    let install = Objects::read(include_str!("../../../deploy/install.yaml")).unwrap();
    let pod = &deployment(&install)["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"]["kubernetes.io/os"], "linux");
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(pod["securityContext"][field], Value::Null, "{field}");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["containers"][0]["env"], Value::Null, "the program chooses what is logged");
}
