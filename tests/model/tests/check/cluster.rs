//! The cluster: the objects, each with its version. A status is kept as a small number, because a state of the model is compared
//! and stored by the million.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use konnect_replay_model::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, KonnectApiVersion, Scope, SecretKeyRef, Target,
    WindowSpec,
};

use super::konnect::{Object, Window};

pub const NAMES: [&str; 2] = ["job-a", "job-b"];
const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";

/// One version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Its resourceVersion.
    pub number: u32,
    /// Its status.
    pub status: StatusId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusId(u32);

/// Every status that was ever written, each once.
#[derive(Default)]
pub struct Statuses {
    table: RwLock<StatusTable>,
    /// Only a flawed core looks at them.
    pub keeps_intent_times: bool,
}

#[derive(Default)]
struct StatusTable {
    ids: HashMap<String, StatusId>,
    all: Vec<Arc<AuditLogReplayJobStatus>>,
}

impl Statuses {
    pub fn id(&self, status: &AuditLogReplayJobStatus) -> StatusId {
        let status = &without_idle_times(status, self.keeps_intent_times);
        let text = format!("{status:?}");
        if let Some(id) = self.table.read().unwrap().ids.get(&text) {
            return *id;
        }
        let mut table = self.table.write().unwrap();
        let next = StatusId(u32::try_from(table.all.len()).unwrap());
        let id = *table.ids.entry(text).or_insert(next);
        if id == next {
            table.all.push(Arc::new(status.clone()));
        }
        id
    }

    pub fn get(&self, id: StatusId) -> Arc<AuditLogReplayJobStatus> {
        Arc::clone(&self.table.read().unwrap().all[id.0 as usize])
    }

    /// The object as the apiserver serves it.
    pub fn object(&self, which: Object, version: Version) -> AuditLogReplayJob {
        let mut job = created(which);
        job.metadata.resource_version = Some(version.number.to_string());
        job.status = Some((*self.get(version.status)).clone());
        job
    }
}

/// The times in a status that decide nothing within the few minutes that a model lasts are one time, so that states which differ
/// in nothing else are one state. What decides stays: `retries.nextTime`.
fn without_idle_times(status: &AuditLogReplayJobStatus, keeps_intent_times: bool) -> AuditLogReplayJobStatus {
    let then = super::time::instant(0);
    let mut status = status.clone();
    status.conditions.iter_mut().for_each(|c| c.last_transition_time = then);
    [&mut status.start_time, &mut status.completion_time, &mut status.failed_time, &mut status.last_conflict_time]
        .into_iter()
        .flatten()
        .for_each(|time| *time = then);
    status.konnect.iter_mut().for_each(|job| job.observed_time = then);
    if let Some(submission) = &mut status.submission {
        [&mut submission.accepted_time, &mut submission.end_time].into_iter().flatten().for_each(|time| *time = then);
        submission.accepted.iter_mut().chain(&mut submission.previous).for_each(|job| job.observed_time = then);
        if !keeps_intent_times {
            submission.intent_time = then;
        }
    }
    status
}

/// The object as a user has just created it.
fn created(which: Object) -> AuditLogReplayJob {
    let window = Window::asked_by(which).range();
    let target = Target {
        region: "eu".to_owned(),
        scope: Scope::Portal,
        portal_id: Some(PORTAL.to_owned()),
        konnect_api_version: KonnectApiVersion::default(),
    };
    let secret = SecretKeyRef { name: "konnect-token".to_owned(), key: "token".to_owned() };
    let mut spec = AuditLogReplayJobSpec::new(target, WindowSpec::new(window.start_at, window.end_at), secret);
    spec.backoff_limit = 1;
    let mut job = AuditLogReplayJob::new(NAMES[which], spec);
    job.metadata.namespace = Some("audit".to_owned());
    job.metadata.uid = Some(format!("uid-{which}"));
    job.metadata.generation = Some(1);
    let created = super::time::instant(0) - TimeDelta::minutes(1);
    job.metadata.creation_timestamp =
        Some(Time(k8s_openapi::jiff::Timestamp::from_second(created.timestamp()).unwrap()));
    job
}
