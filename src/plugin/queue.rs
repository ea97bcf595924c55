//! In which order jobs go, by the operator's own lanes ([`crate::replay::Lanes`]), filled from the objects.
//!
//! An estimate where the objects do not tell: the operator's `--serialize`, and what it keeps in memory of trouble that jobs
//! share, are not in them; nor are jobs of namespaces that were not listed, which may hold a target.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use super::text;
use crate::api::{AuditLogReplayJob, ConditionType, Reason};
use crate::replay::{Candidate, Lanes, ObjectId, Policy, ValidatedJob, is_under_way};

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// It has its turn: its request is under way, or may be.
    Now,
    /// It is the nth of its lane to go.
    InLine(usize),
    /// It is in no line at the moment, for the reason that its state gives.
    Aside,
    /// It is past all lines.
    Finished,
}

/// The places of all jobs, and what the lanes say about who is in the way.
pub(super) struct Queue {
    lanes: Lanes,
    candidates: HashMap<ObjectId, Candidate>,
}

impl Queue {
    /// Has the jobs line up as they would after a start of the operator at `now`.
    pub(super) fn new<'a>(jobs: impl Iterator<Item = &'a AuditLogReplayJob>, now: DateTime<Utc>) -> Self {
        let policy = Policy::default();
        let mut queue = Self { lanes: Lanes::default(), candidates: HashMap::new() };
        for job in jobs {
            let Some(candidate) = Candidate::of(job, &policy) else { continue };
            if is_under_way(job) {
                queue.lanes.hold(&candidate);
            } else if is_in_line(job, &policy, now) {
                queue.lanes.wait(&candidate);
            } else {
                continue;
            }
            queue.candidates.insert(candidate.id.clone(), candidate);
        }
        queue
    }

    pub(super) fn place(&self, job: &AuditLogReplayJob) -> Place {
        if text::holds(job, &ConditionType::Finished) {
            return Place::Finished;
        }
        let id = id(job);
        let Some(candidate) = self.candidates.get(&id) else { return Place::Aside };
        let waiting = self.lanes.waiting(&candidate.lane).position(|other| *other == id);
        waiting.map_or(Place::Now, |before| Place::InLine(before + 1))
    }

    /// Who is in the way of a job that stands in line: who has its lane or target, or goes first.
    pub(super) fn blocker(&self, job: &AuditLogReplayJob) -> Option<ObjectId> {
        let candidate = self.candidates.get(&id(job))?;
        matches!(self.place(job), Place::InLine(_)).then(|| self.lanes.blocker(candidate, Duration::ZERO)).flatten()
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

fn id(job: &AuditLogReplayJob) -> ObjectId {
    let (namespace, uid) = (job.namespace().unwrap_or_default(), job.uid().unwrap_or_default());
    ObjectId { namespace, name: job.name_any(), uid }
}

/// Whether it goes when its turn comes. What waits for something else stands aside, and is passed by.
fn is_in_line(job: &AuditLogReplayJob, policy: &Policy, now: DateTime<Utc>) -> bool {
    let finished = text::holds(job, &ConditionType::Finished);
    if finished || job.spec.suspend || !has_ended(job, policy, now) {
        return false;
    }
    let state = text::condition(job, &ConditionType::Ready).map(|ready| ready.reason.as_str());
    let goes_by_itself = [
        Reason::Pending,
        Reason::Queued,
        Reason::Submitting,
        Reason::BlockedByRemoteJob,
        Reason::WaitingForWindowEnd,
        Reason::Suspended,
    ];
    state.is_none_or(|state| goes_by_itself.iter().any(|reason| reason.as_str() == state))
}

fn has_ended(job: &AuditLogReplayJob, policy: &Policy, now: DateTime<Utc>) -> bool {
    let policy = Policy { regions: vec![job.spec.target.region.clone()], ..policy.clone() };
    let ready = ValidatedJob::new(job, &policy).ok().map(|validated| validated.window.end_at);
    let delay = TimeDelta::from_std(policy.ingest_delay).unwrap_or_default();
    ready.is_some_and(|end| end + delay <= now)
}
