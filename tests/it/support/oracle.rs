//! What every test of faults asks at its end: did the object and Konnect end as if nothing had happened, and was nothing done on the
//! way that must never be done?

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use konnect_emulator::{Call, Run, Status};
use konnect_replay_core::api::{AuditLogReplayJob, AuditLogReplayJobStatus, ConditionType};
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::job::is_true;
use super::{World, window_of};

/// How old the reading may be that shows a target free, as the operator promises it.
const FRESH: TimeDelta = TimeDelta::seconds(10);
/// How long a request may be on its way besides: the tests' `--request-timeout`.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(3);

/// How a job and its runs end when nothing goes wrong.
static UNDISTURBED: OnceCell<Ending> = OnceCell::const_new();

/// What is left in the end, without what no two lives share.
#[derive(Clone, Debug, PartialEq)]
struct Ending {
    status: Value,
    runs: Vec<Value>,
}

impl World {
    /// Waits until the job is Complete, then holds its end against that of a job which nothing ever disturbed, and its life against
    /// the invariants.
    pub async fn ends_as_if_undisturbed(&self, name: &str) {
        let job = self.wait_until_complete(name).await;
        let undisturbed = UNDISTURBED.get_or_init(|| Box::pin(undisturbed())).await;
        assert_eq!(&self.ending(&job), undisturbed, "{:#?}", self.states(name));
        self.holds_what_it_promises();
    }

    /// The invariants that hold whatever happens and however it ends.
    pub fn holds_what_it_promises(&self) {
        let mut lives: BTreeMap<String, Vec<AuditLogReplayJob>> = BTreeMap::new();
        for version in self.history.all() {
            lives.entry(version.uid().unwrap()).or_default().push(version);
        }
        for life in lives.values() {
            the_end_is_the_end(life);
        }
        for put in self.calls("PUT") {
            self.was_free_just_before(&put);
        }
    }

    fn ending(&self, job: &AuditLogReplayJob) -> Ending {
        Ending { status: bare_status(job), runs: self.runs().iter().map(|run| bare_run(run, job)).collect() }
    }

    /// Somebody looked at the target at most 10 s before, and no run was under way then.
    fn was_free_just_before(&self, put: &Call) {
        let mut looks = self.calls("GET").into_iter().filter(|get| get.number < put.number && get.status == Some(200));
        let last = looks.next_back().unwrap_or_else(|| panic!("nobody looked before {put:#?}"));
        assert!(put.at - last.at <= FRESH + ON_ITS_WAY, "the last look before {put:#?} was {last:#?}");
        let busy = |run: &Run| run.accepted_at <= last.at && run.ended_at.is_none_or(|ended| last.at < ended);
        assert!(!self.runs().iter().any(busy), "{put:#?} was sent on a target that was not free: {:#?}", self.runs());
    }
}

async fn undisturbed() -> Ending {
    let world = World::new().await;
    world.create(world.job("undisturbed")).await;
    let job = world.wait_until_complete("undisturbed").await;
    world.ending(&job)
}

/// Complete and Failed exclude each other, and after either nothing changes.
fn the_end_is_the_end(life: &[AuditLogReplayJob]) {
    let ended = |job: &AuditLogReplayJob| is_true(job, &ConditionType::Finished);
    let status = |job: &AuditLogReplayJob| {
        let status = job.status.clone().unwrap_or_default();
        AuditLogReplayJobStatus { observed_generation: 0, ..status }
    };
    for job in life {
        let ends = [ConditionType::Complete, ConditionType::Failed].map(|end| is_true(job, &end));
        assert_eq!(ends.iter().filter(|end| **end).count(), usize::from(ended(job)), "{job:#?}");
    }
    let mut after = life.iter().skip_while(|job| !ended(job));
    if let Some(end) = after.next() {
        for later in after {
            assert_eq!(status(later), status(end), "something changed after the end");
        }
    }
}

/// The status without times, ids and counters; and alike whether Konnect's acceptance was read from its answer or seen afterwards.
fn bare_status(job: &AuditLogReplayJob) -> Value {
    let mut status = serde_json::to_value(job.status.as_ref().unwrap()).unwrap();
    for counter in ["attempts", "conflicts", "lastConflictTime"] {
        status.as_object_mut().unwrap().remove(counter);
    }
    // As conflicts, requests that Konnect did not take are counted, and brought no run. Any other counter stays.
    let retries = status["retries"].as_object().cloned().unwrap_or_default();
    let brought_no_run = |(key, value): (&String, &Value)| {
        ["notTaken", "nextTime", "requestedAt"].contains(&key.as_str()) || *value == 0
    };
    if retries.iter().all(brought_no_run) {
        status.as_object_mut().unwrap().remove("retries");
    }
    let submission = &status["submission"];
    let known = ["Accepted", "Adopted"].contains(&submission["state"].as_str().unwrap_or_default());
    status["submission"] = json!({ "window": submission["window"], "known": known });
    for condition in status["conditions"].as_array_mut().unwrap() {
        if condition["type"] == "Submitted" && known {
            *condition = json!({ "type": "Submitted", "status": condition["status"] });
        }
    }
    status["webhook"]["destinationID"] = Value::Null;
    let generation = job.metadata.generation.unwrap();
    let conditions = status["conditions"].as_array_mut().unwrap();
    for condition in conditions {
        current(condition, generation);
    }
    current(&mut status, generation);
    without_times(status, job)
}

/// How often the spec was edited on the way does not matter, only that the last edit was seen.
fn current(told: &mut Value, generation: i64) {
    if told["observedGeneration"] == generation {
        told["observedGeneration"] = json!("CURRENT");
    }
}

/// Times of the window become words, other times vanish.
fn without_times(value: Value, job: &AuditLogReplayJob) -> Value {
    match value {
        Value::String(text) => {
            let window = &job.spec.window;
            let worded = text.replace(&window.start_at, "START").replace(&window.end_at, "END");
            Value::String(if worded.parse::<DateTime<Utc>>().is_ok() { "TIME".to_owned() } else { worded })
        }
        Value::Array(items) => items.into_iter().map(|item| without_times(item, job)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, field)| (key, without_times(field, job))).collect(),
        other => other,
    }
}

fn bare_run(run: &Run, job: &AuditLogReplayJob) -> Value {
    json!({
        "number": run.number,
        "is of the window": run.window == window_of(job),
        "by": run.by,
        "completed": run.status == Status::Completed,
        "replaced": run.replaced_by,
        "failure": run.failure,
    })
}
