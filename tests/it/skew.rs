//! A program that is newer than the definition of its objects: unsupported, and yet no reason to go in circles.

use konnect_emulator::{Emulator, Options, Receiver, ReceiverOptions, Timings, Webhook};
use konnect_replay::api::{AuditLogReplayJob, ConditionType};
use kube::Api;
use kube::api::PostParams;
use serde_json::Value;

use control_plane::ControlPlane;

use crate::support::{History, JobBuilder, Operator, PATIENCE, PORTAL, TOKEN, is_true};

/// The definition as it might have been before it had this field of the record of a request.
fn definition_without(field: &str) -> String {
    let mut crd: Value = serde_saphyr::from_str(include_str!("../../crds/auditlogreplayjobs.yaml")).unwrap();
    let record = crd
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/submission/properties")
        .unwrap();
    assert!(record.as_object_mut().unwrap().remove(field).is_some(), "{field} is no field of the record");
    serde_json::to_string(&crd).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_an_older_definition_drops_is_not_written_in_circles() {
    let plane = ControlPlane::start(control_plane::Options::default()).await.unwrap();
    plane.apply(&definition_without("lastRead")).await.unwrap();
    plane.wait_crd_established("auditlogreplayjobs.konnect-replay.dev").await.unwrap();
    let timings = Timings::all(std::time::Duration::from_millis(700));
    let emulator = Emulator::start(Options { timings, ..Options::default() }).await.unwrap();
    emulator.add_organization("acme", TOKEN).unwrap();
    let portal = emulator.add_portal("acme", "eu", PORTAL).unwrap();
    let receiver = Receiver::start(ReceiverOptions::default()).await.unwrap();
    emulator.set_webhook(&portal, Webhook::new(receiver.url())).unwrap();
    let token = format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: konnect-token}}, stringData: {{token: '{TOKEN}'}}}}"
    );
    plane.apply_in("default", &token).await.unwrap();
    let client = plane.admin_client().unwrap();
    let history = History::start(client.clone(), "default").await;
    let url = format!("--konnect-url={}", emulator.url_template());
    let flags = ["--listen=127.0.0.1:0", "--leader-elect=false", "--poll-interval=300ms", &url].map(str::to_owned);
    let operator = Operator::start(&plane.kubeconfig_admin(), &flags).ready().await;

    let jobs: Api<AuditLogReplayJob> = Api::namespaced(client, "default");
    jobs.create(&PostParams::default(), &JobBuilder::portal("skewed", "eu", PORTAL).build()).await.unwrap();
    let complete = history.wait("skewed", PATIENCE, |job| is_true(job, &ConditionType::Complete)).await;

    assert!(complete.is_some(), "{}", operator.log().join("\n"));
    assert_eq!(emulator.runs(&portal).unwrap().len(), 1);
    let log = operator.log();
    assert!(log.iter().any(|line| line.contains("is older than this program")), "{log:#?}");
    let bugs: Vec<_> = log.iter().filter(|line| line.contains("\"ERROR\"")).collect();
    assert!(bugs.is_empty(), "{bugs:#?}");
    drop((history, operator));
    plane.stop().await;
}
