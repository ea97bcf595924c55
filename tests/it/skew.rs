//! A program that is newer than the definition of its objects: unsupported, and yet no reason to go in circles.

use konnect_emulator::{Emulator, Options, Receiver, ReceiverOptions, TargetKey, Timings, Webhook};
use konnect_replay::api::{AuditLogReplayJob, ConditionType};
use kube::Api;
use kube::api::PostParams;
use serde_json::Value;

use control_plane::ControlPlane;

use crate::support::{History, JobBuilder, Operator, PATIENCE, PORTAL, TOKEN, is_true, ready_reason};

/// The definition as it might have been before the status had this field.
fn definition_without(parent: &str, field: &str) -> String {
    let mut crd: Value = serde_saphyr::from_str(include_str!("../../crds/auditlogreplayjobs.yaml")).unwrap();
    let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status";
    let fields = crd.pointer_mut(&format!("{status}{parent}/properties")).unwrap();
    assert!(fields.as_object_mut().unwrap().remove(field).is_some(), "{field} is no field of the status");
    serde_json::to_string(&crd).unwrap()
}

/// An operator on a cluster of its own with such a definition, and an emulated Konnect with one portal.
struct Skewed {
    plane: ControlPlane,
    emulator: Emulator,
    portal: TargetKey,
    jobs: Api<AuditLogReplayJob>,
    history: History,
    operator: Operator,
    _receiver: Receiver,
}

impl Skewed {
    async fn new(definition: &str, more: &[&str]) -> Self {
        let plane = ControlPlane::start(control_plane::Options::default()).await.unwrap();
        plane.apply(definition).await.unwrap();
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
        let flags = ["--listen=127.0.0.1:0", "--leader-elect=false", "--poll-interval=300ms", &url];
        let flags: Vec<String> = flags.iter().chain(more).map(|flag| (*flag).to_owned()).collect();
        let operator = Operator::start(&plane.kubeconfig_admin(), &flags).ready().await;
        let jobs = Api::namespaced(client, "default");
        Self { plane, emulator, portal, jobs, history, operator, _receiver: receiver }
    }

    async fn create(&self, job: JobBuilder) {
        self.jobs.create(&PostParams::default(), &job.build()).await.unwrap();
    }

    async fn stop(self) {
        let bugs: Vec<_> = self.operator.log().into_iter().filter(|line| line.contains("\"ERROR\"")).collect();
        assert!(bugs.is_empty(), "{bugs:#?}");
        drop((self.history, self.operator));
        self.plane.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_an_older_definition_drops_is_not_written_in_circles() {
    let skewed = Skewed::new(&definition_without("/properties/submission", "lastRead"), &[]).await;
    skewed.create(JobBuilder::portal("skewed", "eu", PORTAL)).await;
    let complete = skewed.history.wait("skewed", PATIENCE, |job| is_true(job, &ConditionType::Complete)).await;

    assert!(complete.is_some(), "{}", skewed.operator.log().join("\n"));
    assert_eq!(skewed.emulator.runs(&skewed.portal).unwrap().len(), 1);
    let log = skewed.operator.log();
    assert!(log.iter().any(|line| line.contains("is older than this program")), "{log:#?}");
    skewed.stop().await;
}

/// What limits sending must have been stored before the next request is based on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_window_is_not_sent_again_where_its_count_is_dropped() {
    let flags = ["--retry-interval=500ms", "--backoff-base=100ms"];
    let skewed = Skewed::new(&definition_without("", "retries"), &flags).await;
    skewed.emulator.fail_next(&skewed.portal, 100).unwrap();
    skewed.create(JobBuilder::portal("failing", "eu", PORTAL).spec(|spec| spec.backoff_limit = 1)).await;
    let said = |job: &AuditLogReplayJob| ready_reason(job) == "DefinitionOutdated";
    let stalled = skewed.history.wait("failing", PATIENCE, said).await;
    assert!(stalled.is_some_and(|job| is_true(&job, &ConditionType::Stalled)), "{:#?}", skewed.operator.log());
    // Several tries later.
    let seen = skewed.history.of("failing").len();
    let again = |_: &AuditLogReplayJob| skewed.history.of("failing").len() >= seen + 6;
    skewed.history.wait("failing", PATIENCE, again).await.unwrap();
    assert_eq!(skewed.emulator.runs(&skewed.portal).unwrap().len(), 1);
    skewed.stop().await;
}
