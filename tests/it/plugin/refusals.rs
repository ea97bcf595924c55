//! A cluster that is not there, does not answer, or says no.

use std::path::PathBuf;

use control_plane::{ControlPlane, Options};

use super::{Plugin, Ran, binary, run};
use crate::support::{PORTAL, World};

const CREATE: [&str; 8] = ["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h"];

fn with_kubeconfig(name: &str, text: &str, args: &[&str]) -> Ran {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("plugin-{name}.kubeconfig"));
    std::fs::write(&path, text).unwrap();
    let mut command = binary(args);
    command.env("KUBECONFIG", path);
    run(command)
}

fn kubeconfig_of(server: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "there",
        "clusters": [{{"name": "there", "cluster": {{"server": "{server}"}}}}],
        "contexts": [{{"name": "there", "context": {{"cluster": "there", "user": "me"}}}}],
        "users": [{{"name": "me", "user": {{}}}}]}}"#
    )
}

#[test]
fn a_wrong_kubeconfig_is_named() {
    let there = kubeconfig_of("http://127.0.0.1:1");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = kubeconfig_of(&format!("http://{}", silent.local_addr().unwrap()));
    for (name, text, args, said) in [
        ("garbage", "{", &["list"][..], "no cluster to talk to: "),
        ("empty", "", &["list"], "no cluster to talk to: "),
        ("context", &there, &["list", "--context", "elsewhere"], "elsewhere"),
        ("nowhere", &there, &["list"], "cannot reach the cluster at http://127.0.0.1:1/: "),
        ("silent", &silent, &["list", "--request-timeout", "1s"], "did not answer within 1s"),
        ("file", &there, &["list", "--kubeconfig", "/nowhere/kubeconfig"], "/nowhere/kubeconfig"),
    ] {
        let ran = with_kubeconfig(name, text, args);
        assert_eq!(ran.code, Some(1), "{name}: {ran:#?}");
        assert!(ran.err.starts_with("kubectl-replay: ") && ran.err.contains(said), "{name}: {ran:#?}");
    }
    let ran = run(binary(&["list"]));
    assert!(ran.code == Some(1) && ran.err.contains("--kubeconfig, --context and KUBECONFIG"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_is_chosen_as_in_kubectl() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("here")).await;
    let mut command = binary(&["list", "--context", "control-plane", "-n", &world.namespace, "--kubeconfig"]);
    command.arg(Plugin::of(&world).kubeconfig());
    let ran = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
    assert!(ran.code == Some(0) && ran.out.contains("here"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rbac_refuses_is_said_with_the_right_that_is_missing() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("there")).await;
    let bob = Plugin::with(&world, world.plane.kubeconfig_for("bob", &[]).unwrap());
    for (args, verb) in [
        (&CREATE[..], "create"),
        (&["list"], "list"),
        (&["status", "there"], "get"),
        (&["suspend", "there"], "get"),
        (&["again", "there"], "get"),
    ] {
        let ran = bob.run(args).await;
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let said = format!("not allowed: User \"bob\" cannot {verb} resource \"auditlogreplayjobs\"");
        assert!(ran.err.contains(&said) && ran.err.contains(&format!("namespace \"{}\"", world.namespace)), "{ran:#?}");
        assert!(ran.err.contains("Ask an administrator of the cluster") && ran.err.lines().count() == 1, "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_create_and_not_watch_is_told_after_the_job_is_created() {
    let world = World::builder().without_operator().build().await;
    let role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: creates}, \
                rules: [{apiGroups: [konnect-replay.dev], resources: [auditlogreplayjobs], verbs: [create, get]}]}\n---\n\
                {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: creates}, \
                roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: creates}, \
                subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: carol}]}";
    world.plane.apply_in(&world.namespace, role).await.unwrap();
    let carol = Plugin::with(&world, world.plane.kubeconfig_for("carol", &[]).unwrap());
    // The authorizer sees the role a moment later.
    let mut ran = carol.run(&[&CREATE[..], &["--wait"]].concat()).await;
    while ran.err.contains("cannot create") {
        ran = carol.run(&[&CREATE[..], &["--wait"]].concat()).await;
    }
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.out.contains("outage created in namespace"), "{ran:#?}");
    assert!(ran.err.contains("not allowed: User \"carol\" cannot list resource"), "{ran:#?}");
    world.get("outage").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_crd_it_says_what_to_install() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let kubeconfig = plane.kubeconfig_for("jane", &["system:masters"]).unwrap();
    for args in [&CREATE[..], &["list"], &["status", "there"]] {
        let mut command = binary(args);
        command.env("KUBECONFIG", &kubeconfig);
        let ran = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.err.contains("this cluster does not know AuditLogReplayJobs: install the CRD"), "{ran:#?}");
    }
    plane.stop().await;
}
