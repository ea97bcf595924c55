//! In which order jobs go, by the operator's own scheduler ([`konnect_replay_core::replay::Scheduler`]), filled from the objects.
//!
//! An estimate where the objects do not tell: the operator's `--serialize`, and the failures that it keeps in memory, are not in
//! them; nor are jobs of namespaces that were not listed, which may hold a target.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use super::text;
use konnect_replay_core::api::{AuditLogReplayJob, ConditionStatus, ConditionType, Reason, SubmissionState};
use konnect_replay_core::replay::{
    self, Candidate, LaneKey, ObjectId, Policy, Scheduler, ValidatedJob, Woken, says_one_of,
};

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Its request is under way, or may be.
    Now,
    /// It is the nth of its lane to go.
    InLine(usize),
    /// It is in no queue at the moment, for the reason that its state gives.
    Aside,
    /// It has finished.
    Finished,
}

/// The places of all jobs, and which job is in the way of another.
pub(super) struct Queue {
    scheduler: Scheduler,
    candidates: HashMap<ObjectId, Candidate>,
    /// The jobs of each lane that wait for another party's run at Konnect, in the order of the lane.
    blocked: HashMap<LaneKey, BTreeSet<(DateTime<Utc>, ObjectId)>>,
}

impl Queue {
    /// Queues the jobs as their objects say, at `now`.
    pub(super) fn new<'a>(jobs: impl Iterator<Item = &'a AuditLogReplayJob>, now: DateTime<Utc>) -> Self {
        let policy = Policy::default();
        let mut queue =
            Self { scheduler: Scheduler::new(&policy), candidates: HashMap::new(), blocked: HashMap::new() };
        for job in jobs {
            if let Some(candidate) = Candidate::of(job, &policy) {
                queue.add(job, candidate, &policy, now);
            }
        }
        queue
    }

    fn add(&mut self, job: &AuditLogReplayJob, candidate: Candidate, policy: &Policy, now: DateTime<Utc>) {
        // There are no passes here that could be woken.
        let _: Woken = if is_under_way(job) {
            self.scheduler.reserve(&candidate, Duration::ZERO)
        } else if is_blocked(job) {
            let place = (candidate.expires_at, candidate.id.clone());
            self.blocked.entry(candidate.route.lane.clone()).or_default().insert(place);
            self.scheduler.idle(&candidate, Duration::ZERO)
        } else if is_in_line(job, policy, now) {
            self.scheduler.wait(&candidate, Duration::ZERO)
        } else {
            return;
        };
        self.candidates.insert(candidate.id.clone(), candidate);
    }

    pub(super) fn place(&self, job: &AuditLogReplayJob) -> Place {
        if text::holds(job, &ConditionType::Finished) {
            return Place::Finished;
        }
        let id = ObjectId::of(job);
        let Some(candidate) = self.candidates.get(&id) else { return Place::Aside };
        let blocked = self.blocked.get(&candidate.route.lane).into_iter().flatten().map(|(_, id)| id);
        let mut line = blocked.chain(self.scheduler.waiting(&candidate.route.lane));
        line.position(|other| *other == id).map_or(Place::Now, |before| Place::InLine(before + 1))
    }

    /// The job that blocks a job in the queue: it has reserved the lane or target, or goes first.
    pub(super) fn blocker(&self, job: &AuditLogReplayJob) -> Option<ObjectId> {
        let candidate = self.candidates.get(&ObjectId::of(job))?;
        matches!(self.place(job), Place::InLine(_)).then(|| self.scheduler.blocker(candidate, Duration::ZERO)).flatten()
    }

    /// The order in which they are shown: lane by lane, and by place in each; what has finished comes last.
    pub(super) fn sort(&self, jobs: &mut [&AuditLogReplayJob]) {
        let policy = Policy::default();
        jobs.sort_by_cached_key(|job| {
            let candidate = Candidate::of(job, &policy);
            let expires = candidate.as_ref().map(|c| c.expires_at);
            let finished = self.place(job) == Place::Finished;
            let lane = (job.namespace(), job.spec.target.region.clone(), job.spec.token_secret_ref.name.clone());
            (finished, lane, self.place(job), expires, job.name_any())
        });
    }
}

/// Whether Konnect may be running something for it, by what the object says.
pub(super) fn is_under_way(job: &AuditLogReplayJob) -> bool {
    replay::is_under_way(job) && !is_refused(job)
}

/// Whether the object says that Konnect refused the request that it records. An operator that starts does not take its word for
/// it, since the request may just be made once more; for people it is what was told.
fn is_refused(job: &AuditLogReplayJob) -> bool {
    let standing = job.status.as_ref().and_then(|status| status.submission.as_ref());
    let intended = standing.is_some_and(|submission| submission.state == SubmissionState::Intended);
    let submitted = text::condition(job, &ConditionType::Submitted);
    intended && submitted.is_some_and(|submitted| submitted.status == ConditionStatus::False)
}

/// Whether it waits for another party's run at Konnect.
fn is_blocked(job: &AuditLogReplayJob) -> bool {
    !job.spec.suspend && says(job, &[Reason::BlockedByRemoteJob])
}

/// Whether it is in the queue. A job that waits for something else is in none, and others go first.
fn is_in_line(job: &AuditLogReplayJob, policy: &Policy, now: DateTime<Utc>) -> bool {
    let finished = text::holds(job, &ConditionType::Finished);
    if finished || job.spec.suspend {
        return false;
    }
    let goes_by_itself = [Reason::Pending, Reason::WaitingForWindowEnd, Reason::Suspended];
    says(job, &[Reason::Queued, Reason::Submitting])
        || (text::is_unseen(job) || says(job, &goes_by_itself)) && has_ended(job, policy, now)
}

/// Whether the object says one of these of itself.
pub(super) fn says(job: &AuditLogReplayJob, reasons: &[Reason]) -> bool {
    job.status.as_ref().is_some_and(|status| says_one_of(status, reasons))
}

fn has_ended(job: &AuditLogReplayJob, policy: &Policy, now: DateTime<Utc>) -> bool {
    let policy = Policy { regions: vec![job.spec.target.region.clone()], ..policy.clone() };
    let ready = ValidatedJob::new(job, &policy).ok().map(|validated| validated.window.end_at);
    let delay = TimeDelta::from_std(policy.ingest_delay).unwrap_or_default();
    ready.is_some_and(|end| end + delay <= now)
}
