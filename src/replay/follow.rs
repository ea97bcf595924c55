//! A run under way at Konnect, until its end was read.

use super::job::ValidatedJob;
use super::observed::Observed;
use super::policy::Policy;
use super::settle::{self, Finding};
use super::situation::{Decision, Situation};
use super::step::Step;
use super::{prepare, report, wait};
use crate::api::{Reason, Submission};
use crate::konnect::{CallError, RemoteJob, RemoteStatus};

/// What to do about a run under way.
pub(super) fn decide(o: &Observed, job: &ValidatedJob, policy: &Policy, submission: &Submission) -> Decision {
    if let Some(decision) = prepare::resting(o).or_else(|| prepare::token(o, policy)) {
        return decision;
    }
    let Some(seen) = &o.learned.remote else { return Decision::Do(Step::ReadRemoteJob) };
    let remote = match &seen.what {
        Err(error) => return unread(o, policy, error),
        Ok(reading) => &reading.value,
    };
    match settle::find(submission, remote) {
        Finding::Ours => ours(o, policy, submission, remote),
        // It was seen, so it was taken; that it is not there any more is no reason to send it again.
        Finding::Nothing if report::was_read_since_accepted(&o.status(), submission) => {
            settle::astray(o, policy, remote)
        }
        Finding::Nothing if o.submission_age_at(seen.at) < policy.settle_time() => Decision::Do(wait::poll(o, policy)),
        // Accepted, and yet not there after the time by which it must show: it was not taken, or Konnect lost it.
        Finding::Nothing => prepare::decide(o, job, policy),
        Finding::AnotherWindow => settle::astray(o, policy, remote),
    }
}

/// A single failed look changes nothing; the run goes on without us.
fn unread(o: &Observed, policy: &Policy, error: &CallError) -> Decision {
    let gone_for = o.memory.missing_since().map(|since| o.clock.mono.saturating_sub(since));
    if gone_for.is_some_and(|d| d >= policy.settle_time()) {
        let message = "Konnect accepted the replay, and then no longer knew the portal: it was deleted, or the token belongs to \
                       another organisation now. What was sent before that cannot be told from here; look at the receiver."
            .to_owned();
        return Decision::Be(Situation::Failed { reason: Reason::PortalNotFound, message }, Step::AwaitChange);
    }
    match wait::trouble(o, policy, error) {
        Decision::Be(Situation::Unavailable(_), then) if o.memory.failures() < 2 => Decision::Do(then),
        decision => decision,
    }
}

fn ours(o: &Observed, policy: &Policy, submission: &Submission, remote: &RemoteJob) -> Decision {
    match &remote.status {
        RemoteStatus::Completed | RemoteStatus::Failed if !is_its_end(o, submission, remote) => {
            Decision::Do(wait::poll(o, policy))
        }
        RemoteStatus::Completed | RemoteStatus::Failed if o.learned.webhook.is_none() => {
            Decision::Do(Step::ReadWebhook { brief: true })
        }
        RemoteStatus::Completed => Decision::Be(Situation::Completed { job: remote.clone() }, Step::AwaitChange),
        RemoteStatus::Failed => Decision::Be(remote_failed(submission), Step::AwaitChange),
        RemoteStatus::Unconfigured
        | RemoteStatus::Accepted
        | RemoteStatus::Pending
        | RemoteStatus::Running
        | RemoteStatus::Unknown(_) => {
            let situation = Situation::Underway { submission: submission.clone(), job: Some(remote.clone()) };
            Decision::Be(situation, wait::poll(o, policy))
        }
    }
}

/// Whether a terminal word is the end of this run, and not of the one before it: the job is another than before our request,
/// or was read in between as under way.
fn is_its_end(o: &Observed, submission: &Submission, remote: &RemoteJob) -> bool {
    let changed = submission.previous.as_ref().map(report::remote_job).as_ref() != Some(remote);
    changed || report::last_read_as_busy(&o.status(), submission)
}

fn remote_failed(submission: &Submission) -> Situation {
    let message = format!(
        "Konnect reported failed for the window {}, and gives no reason. Part of its events may have been delivered. See that the \
         webhook's receiver answers 2xx, then create another AuditLogReplayJob for the window.",
        report::span(submission.window),
    );
    Situation::Failed { reason: Reason::RemoteFailed, message }
}
