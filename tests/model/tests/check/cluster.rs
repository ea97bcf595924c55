//! The cluster: the objects, each with its version. A status is kept as a small number, because a state of the model is compared
//! and stored by the million.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, Scope, SecretKeyRef, Target, WebhookPolicy,
    WindowSpec,
};

use super::konnect::{Object, Window};
use super::layout::Plan;

pub const NAMES: [&str; 3] = ["job-a", "job-b", "job-c"];
const PORTALS: [&str; 2] = ["6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10", "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f11"];
const SECRETS: [&str; 2] = ["konnect-token", "other-token"];

/// How long before the story begins the objects were created.
const CREATED_BEFORE: TimeDelta = TimeDelta::minutes(1);

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
    /// What the users wrote.
    pub plans: Vec<Plan>,
    /// Only a flawed core looks at them.
    pub keeps_intent_times: bool,
    /// Only where a deadline counts from it.
    pub keeps_start_time: bool,
    /// All Secrets have one name: a core that knows none tells no two of them apart.
    pub one_secret: bool,
}

#[derive(Default)]
struct StatusTable {
    ids: HashMap<String, StatusId>,
    all: Vec<Arc<AuditLogReplayJobStatus>>,
}

impl Statuses {
    pub fn of(plans: Vec<Plan>) -> Self {
        let keeps_start_time = plans.iter().any(|plan| plan.active_for.is_some());
        Self { plans, keeps_start_time, ..Self::default() }
    }

    pub fn id(&self, status: &AuditLogReplayJobStatus) -> StatusId {
        let status = &self.without_idle_times(status);
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
        let mut job = self.created(which);
        job.metadata.resource_version = Some(version.number.to_string());
        job.status = Some((*self.get(version.status)).clone());
        job
    }
}

impl Statuses {
    /// The times in a status that decide nothing within the few minutes that a model lasts are one time, so that states which differ
    /// in nothing else are one state. What decides stays: `retries.nextTime`, and `startTime` where a deadline counts from it.
    fn without_idle_times(&self, status: &AuditLogReplayJobStatus) -> AuditLogReplayJobStatus {
        let then = super::time::instant(0);
        let mut status = status.clone();
        status.conditions.iter_mut().for_each(|c| c.last_transition_time = then);
        let start = if self.keeps_start_time { None } else { Some(&mut status.start_time) };
        [&mut status.completion_time, &mut status.failed_time, &mut status.last_conflict_time]
            .into_iter()
            .chain(start)
            .flatten()
            .for_each(|time| *time = then);
        status.konnect.iter_mut().for_each(|job| job.observed_time = then);
        status
            .webhook
            .iter_mut()
            .filter_map(|webhook| webhook.last_attempt_time.as_mut())
            .for_each(|time| *time = then);
        if let Some(submission) = &mut status.submission {
            [&mut submission.accepted_time, &mut submission.end_time]
                .into_iter()
                .flatten()
                .for_each(|time| *time = then);
            submission.accepted.iter_mut().chain(&mut submission.previous).for_each(|job| job.observed_time = then);
            if !self.keeps_intent_times {
                submission.intent_time = then;
            }
        }
        status
    }

    /// The object as a user has just created it.
    fn created(&self, which: Object) -> AuditLogReplayJob {
        let plan = self.plans[which];
        let window = Window::asked_as(plan.window).range();
        let target = Target {
            region: "eu".to_owned(),
            scope: if plan.organization { Scope::Organization } else { Scope::Portal },
            portal_id: (!plan.organization).then(|| PORTALS[plan.slot].to_owned()),
            konnect_api_version: plan.version,
        };
        let secret = if self.one_secret { 0 } else { plan.secret };
        let secret = SecretKeyRef { name: SECRETS[secret].to_owned(), key: "token".to_owned() };
        let mut spec = AuditLogReplayJobSpec::new(target, WindowSpec::new(window.start_at, window.end_at), secret);
        spec.backoff_limit = 1;
        if plan.ignores_webhook {
            spec.webhook_policy = WebhookPolicy::Ignore;
        }
        (spec.starting_deadline_seconds, spec.active_deadline_seconds) = (plan.starts_within, plan.active_for);
        let mut job = AuditLogReplayJob::new(NAMES[which], spec);
        job.metadata.namespace = Some("audit".to_owned());
        job.metadata.uid = Some(format!("uid-{which}"));
        job.metadata.generation = Some(1);
        let created = super::time::instant(0) - CREATED_BEFORE;
        job.metadata.creation_timestamp =
            Some(Time(k8s_openapi::jiff::Timestamp::from_second(created.timestamp()).unwrap()));
        job
    }
}
