//! A program that is newer than the definition of its objects: unsupported, and yet no reason to go in circles.

use konnect_emulator::{ApiVersion, Emulator, Options, Receiver, ReceiverOptions, TargetKey, Timings, Webhook};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType, SubmissionState};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use control_plane::ControlPlane;

use crate::support::{
    History, JobBuilder, Operator, PATIENCE, PORTAL, TOKEN, assert_as_documented, is_true, ready_reason,
};

const STATUS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
const RECORD: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/submission/properties";

/// The definition as it might have been before it had this field, or this bound of a field.
fn definition_without(field: &str, parent: &str) -> String {
    let mut crd: Value = serde_saphyr::from_str(include_str!("../../crds/auditlogreplayjobs.yaml")).unwrap();
    let fields = crd.pointer_mut(parent).unwrap();
    assert!(fields.as_object_mut().unwrap().remove(field).is_some(), "{field} is nothing of {parent}");
    serde_json::to_string(&crd).unwrap()
}

/// An operator on an API server whose definition lacks a field.
struct Skewed {
    plane: ControlPlane,
    emulator: Emulator,
    portal: TargetKey,
    operator: Operator,
    history: History,
    _receiver: Receiver,
}

impl Skewed {
    async fn without(field: &str, parent: &str) -> Self {
        Self::with_flags(field, parent, &[]).await
    }

    async fn with_flags(field: &str, parent: &str, more: &[&str]) -> Self {
        let plane = ControlPlane::start(control_plane::Options::default()).await.unwrap();
        plane.apply(&definition_without(field, parent)).await.unwrap();
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
        let history = History::start(plane.admin_client().unwrap(), "default").await;
        let operator = Self::start(&plane, &emulator, more).await;
        Self { plane, emulator, portal, operator, history, _receiver: receiver }
    }

    async fn start(plane: &ControlPlane, emulator: &Emulator, more: &[&str]) -> Operator {
        let url = format!("--konnect-url={}", emulator.url_template());
        let flags = [
            "--listen=127.0.0.1:0",
            "--leader-elect=false",
            "--poll-interval=300ms",
            "--retry-interval=500ms",
            "--request-timeout=3s",
            "--get-lag=100ms",
            &url,
        ];
        let flags: Vec<String> = flags.iter().chain(more).map(|flag| (*flag).to_owned()).collect();
        Operator::start(&plane.kubeconfig_admin(), &flags).ready().await
    }

    async fn create(&self, job: JobBuilder) {
        let jobs: Api<AuditLogReplayJob> = Api::namespaced(self.plane.admin_client().unwrap(), "default");
        jobs.create(&PostParams::default(), &job.build()).await.unwrap();
    }

    async fn completes(&self, name: &str) {
        let complete = self.history.wait(name, PATIENCE, |job| is_true(job, &ConditionType::Complete)).await;
        assert!(complete.is_some(), "{}", self.operator.log().join("\n"));
    }

    /// The object says it, and the operator did not loop.
    fn is_told(&self) {
        let log = self.operator.log();
        assert!(log.iter().any(|line| line.contains("is older than this program")), "{log:#?}");
        let bugs: Vec<_> = log.iter().filter(|line| line.contains("\"ERROR\"")).collect();
        assert!(bugs.is_empty(), "{bugs:#?}");
    }

    /// Ends it. What the operator asked of Konnect must have been as documented.
    async fn stop(self) {
        assert_as_documented(&self.emulator);
        drop((self.history, self.operator));
        self.plane.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_an_older_definition_drops_is_not_written_in_circles() {
    let skewed = Skewed::without("lastRead", RECORD).await;
    skewed.create(JobBuilder::portal("skewed", "eu", PORTAL)).await;
    skewed.completes("skewed").await;
    assert_eq!(skewed.emulator.runs(&skewed.portal).unwrap().len(), 1);
    skewed.is_told();
    skewed.stop().await;
}

/// The version of Konnect's API is found again by asking, by the next process too, and nothing is sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_an_older_definition_drops_is_found_again() {
    for only in [ApiVersion::V2, ApiVersion::V3] {
        let mut skewed = Skewed::without("konnectAPIVersion", STATUS).await;
        skewed.emulator.set_portal_version(&skewed.portal, Some(only)).unwrap();
        skewed.emulator.set_manual(&skewed.portal, true).unwrap();
        skewed.create(JobBuilder::portal("skewed", "eu", PORTAL)).await;
        let state = SubmissionState::Accepted;
        let accepted = |job: &AuditLogReplayJob| {
            job.status.as_ref().and_then(|s| s.submission.as_ref()).is_some_and(|s| s.state == state)
        };
        let sent = skewed.history.wait("skewed", PATIENCE, accepted).await;
        assert_eq!(sent.and_then(|job| job.status?.konnect_api_version), None, "the definition drops it");
        skewed.operator.signal("KILL");
        skewed.operator.exit().await;
        skewed.operator = Skewed::start(&skewed.plane, &skewed.emulator, &[]).await;
        skewed.emulator.set_manual(&skewed.portal, false).unwrap();
        skewed.completes("skewed").await;
        let puts = skewed.emulator.calls().iter().filter(|call| call.method == "PUT").count();
        assert_eq!((puts, skewed.emulator.runs(&skewed.portal).unwrap().len()), (1, 1), "{only:?}");
        skewed.is_told();
        skewed.stop().await;
    }
}

/// What limits sending must have been stored before the next request is based on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_window_is_not_sent_again_where_its_count_is_dropped() {
    let skewed = Skewed::with_flags("retries", STATUS, &["--backoff-base=100ms"]).await;
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

/// A definition without today's bounds lets a counter through that no version writes: the object does not parse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_does_not_parse_stops_nobody_else() {
    let skewed = Skewed::without("maximum", &format!("{STATUS}/attempts")).await;
    let jobs: Api<AuditLogReplayJob> = Api::namespaced(skewed.plane.admin_client().unwrap(), "default");
    skewed.create(JobBuilder::portal("odd", "eu", PORTAL)).await;
    skewed.completes("odd").await;
    let params = PatchParams::default();
    let patch = |attempts: u64| Patch::Merge(json!({ "status": { "attempts": attempts } }));
    // The answer does not parse either.
    assert!(jobs.patch_status("odd", &params, &patch(5_000_000_000)).await.is_err());
    assert!(jobs.get("odd").await.is_err(), "it parses, so that this test shows nothing");

    let is_left_alone =
        |line: &Value| line["name"] == "odd" && line["message"].as_str().is_some_and(|m| m.contains("does not parse"));
    skewed.operator.wait_for_log("that it leaves the object alone", is_left_alone).await;
    let counted = |text: &str| text.contains("auditlogreplay_unreadable_objects 1").then_some(());
    skewed.operator.wait_for_metrics("the object that it cannot read", counted).await;
    let start = chrono::Utc::now() - chrono::TimeDelta::hours(50);
    let window = (start, start + chrono::TimeDelta::hours(1));
    skewed.create(JobBuilder::portal("plain", "eu", PORTAL).window(window.0, window.1)).await;
    skewed.completes("plain").await;
    jobs.patch_status("odd", &params, &patch(1)).await.unwrap();
    assert_eq!(skewed.emulator.runs(&skewed.portal).unwrap().len(), 2);
    skewed.stop().await;
}
