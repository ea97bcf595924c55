//! What the objects say, in numbers. Worked out from all of them when somebody asks for the metrics, and at no other time: there
//! is nothing to keep up to date with each change, and nothing that could drift from the objects.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::labels::{self, Names, Place};
use super::state::JobState;
use konnect_replay_core::api::{AuditLogReplayJob, SubmissionState};
use konnect_replay_core::replay::{Policy, end, planned_expiry};

/// The objects in numbers, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// How many objects there are, by region and state.
    pub(super) jobs: BTreeMap<(String, JobState), u64>,
    /// How many objects do not parse.
    pub(super) unreadable: u64,
    /// Of the unfinished objects, seconds until Konnect begins to delete the events of the one that expires first.
    pub(super) to_expiry: BTreeMap<Place, i64>,
    /// Who keeps a lane from others, by the place of the job that says so.
    pub(super) busy: BTreeMap<Place, Busy>,
    /// Unix time of the last job that completed, by region.
    pub(super) last_success: BTreeMap<String, i64>,
    /// The same for the last that failed.
    pub(super) last_failure: BTreeMap<String, i64>,
    /// The same for the last that completed although the webhook's last answer was an error.
    pub(super) last_undelivered: BTreeMap<String, i64>,
}

/// Who keeps a lane from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Busy {
    /// A submission of ours.
    pub(super) ours: bool,
    /// A replay that no object here asked for.
    pub(super) external: bool,
}

impl Busy {
    /// Both together.
    pub(super) fn or(self, other: Self) -> Self {
        Self { ours: self.ours || other.ours, external: self.external || other.external }
    }
}

impl Figures {
    /// Adds one object.
    pub(super) fn add(&mut self, job: &AuditLogReplayJob, names: &Names, policy: &Policy, now: DateTime<Utc>) {
        let region = names.region(&job.spec.target.region);
        let state = JobState::of(job);
        *self.jobs.entry((region.clone(), state)).or_default() += 1;
        if state.is_finished() {
            self.add_finished(&region, job);
        } else {
            let portal = labels::portal(job.spec.target.portal_id.as_deref());
            self.add_unfinished(Place { konnect_region: region, portal }, job, state, policy, now);
        }
    }

    fn add_finished(&mut self, region: &str, job: &AuditLogReplayJob) {
        let Some(end) = end(job) else { return };
        let latest = |times: &mut BTreeMap<String, i64>| {
            let time = times.entry(region.to_owned()).or_insert(i64::MIN);
            *time = (*time).max(end.at.timestamp());
        };
        if !end.complete {
            latest(&mut self.last_failure);
            return;
        }
        latest(&mut self.last_success);
        let code = job.status.as_ref().and_then(|s| s.webhook.as_ref()).and_then(|w| w.last_response_code);
        if code.is_some_and(|code| !(200..300).contains(&code)) {
            latest(&mut self.last_undelivered);
        }
    }

    fn add_unfinished(
        &mut self,
        place: Place,
        job: &AuditLogReplayJob,
        state: JobState,
        policy: &Policy,
        now: DateTime<Utc>,
    ) {
        if let Some(expires_at) = planned_expiry(job, policy) {
            let left = (expires_at - now).num_seconds();
            let first = self.to_expiry.entry(place.clone()).or_insert(left);
            *first = (*first).min(left);
        }
        let busy = self.busy.entry(place).or_default();
        busy.ours |= matches!(state, JobState::Submitting | JobState::Running) || is_under_way(job);
        busy.external |= state == JobState::Blocked;
    }
}

fn is_under_way(job: &AuditLogReplayJob) -> bool {
    let submission = job.status.as_ref().and_then(|status| status.submission.as_ref());
    submission.is_some_and(|s| matches!(s.state, SubmissionState::Accepted | SubmissionState::Adopted))
}
