//! `/healthz` and `/readyz`.

use control_plane::{ControlPlane, Options};
use konnect_replay_core::api::AuditLogReplayJob;
use kube::Api;
use kube::api::PostParams;

use crate::support::{History, JobBuilder, Operator, PATIENCE, PORTAL, World, ready_reason};

async fn probe(base: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The exit code of `konnect-replay probe`, and what it said.
fn probe_by_command(url: &str) -> (Option<i32>, String) {
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_konnect-replay")).args(["probe", url]).output();
    let output = command.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

async fn becomes_ready(base: &str) {
    let waiting = async {
        while probe(base, "/readyz").await.0 != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_without_its_crd_lives_but_is_not_ready_until_the_crd_is_there() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let operator = Operator::start(&plane.kubeconfig_admin(), &["--listen=127.0.0.1:0".to_owned()]);
    let base = operator.probes().await;
    let is_listing =
        |line: &serde_json::Value| line["message"].as_str().is_some_and(|m| m.contains("is the CRD installed"));
    operator.wait_for_log("that it cannot list", is_listing).await;
    assert_eq!(probe(&base, "/healthz").await, (200, "ok\n".to_owned()));
    let (status, text) = probe(&base, "/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("is the CRD installed?"), "{text}");
    assert_eq!(probe(&base, "/").await.0, 404);
    let (code, said) = probe_by_command(&format!("{base}/readyz"));
    assert_eq!(code, Some(1));
    assert!(said.contains("503") && said.contains("is the CRD installed?"), "{said}");
    assert_eq!(probe_by_command(&format!("{base}/healthz")), (Some(0), String::new()));
    assert_eq!(probe_by_command("http://127.0.0.1:1/readyz").0, Some(1));

    plane.apply(include_str!("../../crds/auditlogreplayjobs.yaml")).await.unwrap();

    becomes_ready(&base).await;
    assert_eq!(probe_by_command(&format!("{base}/readyz")), (Some(0), String::new()));
    assert_eq!(probe(&base, "/healthz").await.0, 200);
    // It watches every namespace, and does its work as if the CRD had been there from the beginning.
    let history = History::start(plane.admin_client().unwrap(), "default").await;
    let jobs: Api<AuditLogReplayJob> = Api::namespaced(plane.admin_client().unwrap(), "default");
    jobs.create(&PostParams::default(), &JobBuilder::portal("first", "eu", PORTAL).build()).await.unwrap();
    let seen = history.wait("first", PATIENCE, |job| ready_reason(job) == "WaitingForCredentials").await;
    assert!(seen.is_some(), "{}", operator.log().join("\n"));
    drop((history, operator));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_konnect_that_is_down_makes_nobody_unready() {
    let mut world = World::builder().flag("--konnect-url=http://127.0.0.1:1/{region}").build().await;
    world.create(world.job("dark")).await;
    world.wait_for_reason("dark", "KonnectUnavailable").await;
    let base = world.operator().probes().await;
    assert_eq!(probe(&base, "/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(probe(&base, "/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apiserver_that_is_away_makes_it_unready_and_not_unhealthy() {
    let world = World::builder().without_operator().build().await;
    let kubeconfig = world.plane.kubeconfig_via(&world.kubeconfig, "https://127.0.0.1:1").unwrap();
    let operator = Operator::start(&kubeconfig, &["--listen=127.0.0.1:0".to_owned()]);
    let base = operator.probes().await;
    operator.wait_for_log("that it cannot list", |line| line["level"] == "WARN").await;
    assert_eq!((probe(&base, "/healthz").await.0, probe(&base, "/readyz").await.0), (200, 503));
}
