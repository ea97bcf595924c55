//! What a write of the status changed, as facts to be counted: a pure function of the object before and after.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::{AuditLogReplayJob, AuditLogReplayJobStatus, Submission, SubmissionState, from_kube_time};
use crate::replay::decide::next::is_finished;
use crate::replay::facts::policy::Policy;
use crate::replay::facts::{said, window};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its first request was recorded, or a run adopted, so long after that could have been at the earliest: since its creation,
    /// or since its window was ready to be sent, whichever came later.
    Began {
        /// How long.
        waited: Duration,
    },
    /// Konnect was seen to have taken a request.
    Accepted {
        /// How long after the request was recorded.
        after: Duration,
    },
    /// A run that was under way already is followed.
    Adopted,
    /// Another job, or none, stood at Konnect where a submission's end should have been seen.
    Superseded,
    /// The end.
    Finished(End),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Complete, or else failed.
    pub complete: bool,
    /// The reason of `Ready`.
    pub reason: String,
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// How long after its creation.
    pub took: Duration,
}

/// What changed from `before` to `after`, two versions of one object. Nothing where only counters or messages did.
pub fn changes(before: &AuditLogReplayJob, after: &AuditLogReplayJob, policy: &Policy) -> Vec<Change> {
    let (old, new) = (before.status.clone().unwrap_or_default(), after.status.clone().unwrap_or_default());
    let mut changes = Vec::new();
    if let Some(submission) = new.submission.as_ref() {
        changes.extend(old.submission.is_none().then(|| began(after, submission, policy)));
        changes.extend(taken(old.submission.as_deref(), submission));
    }
    let superseded = |status: &AuditLogReplayJobStatus| status.retries.as_ref().map_or(0, |retries| retries.superseded);
    changes.extend((superseded(&old)..superseded(&new)).map(|_| Change::Superseded));
    if !is_finished(before) {
        changes.extend(end(after).map(Change::Finished));
    }
    changes
}

/// How a job ended; `None` while it has not.
pub fn end(job: &AuditLogReplayJob) -> Option<End> {
    let status = job.status.as_ref().filter(|status| said::is_finished(status))?;
    let at = status.completion_time.or(status.failed_time)?;
    Some(End {
        complete: said::is_complete(status),
        reason: said::ready_reason(status).unwrap_or_default().to_owned(),
        at,
        took: between(created(job).unwrap_or(at), at),
    })
}

/// When Konnect begins to delete the events of what is or will be sent; `None` for a window that cannot be read.
pub fn planned_expiry(job: &AuditLogReplayJob, policy: &Policy) -> Option<DateTime<Utc>> {
    let planned = job.status.as_ref().and_then(|status| status.window.as_ref()).map(|window| window.expires_at);
    planned.or_else(|| Some(window::expires_at(window::parse(&job.spec.window).ok()?, policy)))
}

fn began(job: &AuditLogReplayJob, submission: &Submission, policy: &Policy) -> Change {
    let ready = window::parse(&job.spec.window).ok().map(|window| window::ready_at(window, policy));
    let earliest = ready.max(created(job)).unwrap_or(submission.intent_time);
    Change::Began { waited: between(earliest, submission.intent_time) }
}

fn taken(before: Option<&Submission>, now: &Submission) -> Option<Change> {
    let accepted = now.accepted_time?;
    let known = before.is_some_and(|before| before.id == now.id && before.accepted_time.is_some());
    (!known).then(|| match now.state {
        SubmissionState::Adopted => Change::Adopted,
        SubmissionState::Intended
        | SubmissionState::Accepted
        | SubmissionState::NotTaken
        | SubmissionState::NotShown
        | SubmissionState::Failed
        | SubmissionState::Superseded
        | SubmissionState::EndedUnseen
        | SubmissionState::Unknown(_) => Change::Accepted { after: between(now.intent_time, accepted) },
    })
}

fn created(job: &AuditLogReplayJob) -> Option<DateTime<Utc>> {
    job.metadata.creation_timestamp.as_ref().map(from_kube_time)
}

/// Never negative: two clocks may have made the two.
fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
