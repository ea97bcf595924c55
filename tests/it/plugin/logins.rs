//! Logins that expire during `--wait`, and programs that log in.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use control_plane::proxy::{Calls, Fault, FaultProxy, Verb};
use konnect_emulator::Status;
use serde_json::json;

use super::{Plugin, eventually, run};
use crate::support::{PORTAL, World, edited};

const CREATE: [&str; 9] = ["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h", "--wait"];

/// A program beside `kubeconfig`.
fn program(kubeconfig: &Path, name: &str, script: &str) -> PathBuf {
    let path = kubeconfig.with_extension(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The kubeconfig with this program in place of its token.
fn logs_in_by(kubeconfig: &Path, program: &Path) -> PathBuf {
    edited(kubeconfig, "exec", |copy| {
        let exec = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": program, "interactiveMode": "IfAvailable" });
        copy["users"][0]["user"] = json!({ "exec": exec });
    })
}

/// Prints the token of `kubeconfig`, and counts.
fn prints_the_token_of(kubeconfig: &Path) -> (PathBuf, PathBuf) {
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    let credential = json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                             "status": { "token": read["users"][0]["user"]["token"] } });
    let runs = kubeconfig.with_extension("runs");
    (program(kubeconfig, "login", &format!("echo >>'{}'\ncat <<'END'\n{credential}\nEND", runs.display())), runs)
}

/// A plugin that logs in by a program which says nothing of when its token expires; the calls go through a proxy.
async fn with_a_program(world: &World) -> (FaultProxy, Plugin, PathBuf) {
    let role = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: replays}}, rules: [{{apiGroups: \
         [konnect-replay.dev], resources: [auditlogreplayjobs], verbs: [get, list, watch, create, patch]}}]}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: replays}}, roleRef: {{apiGroup: \
         rbac.authorization.k8s.io, kind: Role, name: replays}}, subjects: [{{kind: ServiceAccount, name: erin, namespace: {}}}]}}",
        world.namespace
    );
    world.plane.apply_in(&world.namespace, &role).await.unwrap();
    let direct = world.plane.service_account_kubeconfig(&world.namespace, "erin").await.unwrap();
    let proxy = FaultProxy::start(world.plane).await.unwrap();
    let proxied = world.plane.kubeconfig_via(&direct, proxy.url()).unwrap();
    let (login, runs) = prints_the_token_of(&proxied);
    let plugin = Plugin::with(world, logs_in_by(&proxied, &login));
    // The authorizer sees the role a moment later.
    while plugin.run(&["list"]).await.code != Some(0) {}
    (proxy, plugin, runs)
}

fn logins(runs: &Path) -> usize {
    std::fs::read_to_string(runs).unwrap_or_default().lines().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_expires_while_somebody_waits_is_made_again() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let (proxy, plugin, runs) = with_a_program(&world).await;
    let mut waiting = plugin.start(&CREATE);
    waiting.prints("Z  Accepted: ").await;
    let before = logins(&runs);
    proxy.fault(Calls::any().times(1), Fault::Answer(401));
    proxy.cut_watches(&Calls::any());
    eventually(|| logins(&runs) > before, || waiting.out()).await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    assert_eq!(waiting.exit().await.code(), Some(0), "{}\n{}", waiting.out(), waiting.err());
    waiting.prints("Z  Completed: ").await;

    // A login that is refused at once is not made again and again.
    let before = logins(&runs);
    plugin.done(&["list"]).await;
    let (once, before) = (logins(&runs) - before, logins(&runs));
    proxy.fault(Calls::any().verb(Verb::List), Fault::Answer(401));
    let ran = plugin.run(&["status", "outage", "--wait"]).await;
    assert!(ran.code == Some(1) && ran.err.contains("does not know you (401)"), "{ran:#?}");
    assert_eq!(logins(&runs), before + 2 * once, "the first, and one more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_only_kubectl_can_renew_says_so() {
    let world = World::builder().without_operator().build().await;
    let expired = edited(Plugin::of(&world).kubeconfig(), "oidc", |copy| {
        let config = json!({ "id-token": "e30.e30.e30", "refresh-token": "r", "client-id": "c",
                             "idp-issuer-url": "https://127.0.0.1:1" });
        copy["users"][0]["user"] = json!({ "auth-provider": { "name": "oidc", "config": config } });
    });
    let ran = Plugin::with(&world, expired).run(&["list"]).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("auth-provider oidc") && ran.err.contains("run `kubectl get alrj`"), "{ran:#?}");
}

/// TAB must neither hang nor print, also if the program that logs in does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_not_log_in_does_not_hang_completion() {
    let world = World::builder().without_operator().build().await;
    let own = Plugin::of(&world);
    let script = "echo 'open https://login.example in your browser' >&2\nread answer\nsleep 600";
    let stuck = logs_in_by(own.kubeconfig(), &program(own.kubeconfig(), "stuck", script));
    let mut command = super::binary(&["__complete", "status", "-n", &world.namespace, ""]);
    command.env("KUBECONFIG", stuck);
    let began = Instant::now();
    let ran = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), ":4\n", ""));
}
