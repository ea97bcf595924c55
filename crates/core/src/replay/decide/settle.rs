//! A request whose outcome is not known: after a lost answer, a crash or a takeover. It is left alone until its effect must
//! show, then Konnect is asked. Nothing is sent before that.

use crate::api::{Submission, SubmissionState};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::decide::ending::Ending;
use crate::replay::decide::finding::{self, Finding};
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::{ask, failed_call, over, wait};
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::record;
use crate::replay::step::{Step, WaitCause};

/// Why it is not known whether Konnect took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt<'a> {
    /// No answer is known: the process that sent the request ended, or another process recorded it.
    Interrupted,
    /// The answer was lost, or was one such as 503 that a gateway gives before or after the effect.
    Lost(&'a str),
    /// Konnect answered 2xx and showed no job of this request.
    NotShown(&'a str),
}

impl<'a> Doubt<'a> {
    fn why(self) -> Option<&'a str> {
        match self {
            Self::Interrupted => None,
            Self::Lost(why) | Self::NotShown(why) => Some(why),
        }
    }

    /// How the submission ends if Konnect does not show it after the settle time.
    fn ending(self) -> Ending {
        match self {
            Self::Interrupted | Self::Lost(_) => Ending::NotTaken,
            Self::NotShown(_) => Ending::NotShown,
        }
    }
}

/// What to do about a submission in doubt.
pub(crate) fn decide(o: &Observed, job: &ValidatedJob, submission: &Submission, doubt: Doubt<'_>) -> Decision {
    let left = o.policy.settle_time().saturating_sub(o.submission_age());
    if !left.is_zero() {
        let why = doubt.why().map(str::to_owned);
        return Decision::Be(Situation::InDoubt { why }, Step::Wait { wait: left, cause: WaitCause::Settle });
    }
    if let Some(decision) = ask::resting(o).or_else(|| ask::token(o)) {
        return decision;
    }
    // What was read before the effect must show proves nothing, however late it is judged.
    let settled = o.learned.remote.as_ref().filter(|seen| o.submission_age_at(seen.at) >= o.policy.settle_time());
    let remote = match settled.map(|seen| &seen.what) {
        None => return Decision::Do(Step::ReadRemoteJob),
        Some(Err(error)) => return failed_call::decide(o, error),
        Some(Ok(reading)) => &reading.value,
    };
    match finding::find(submission, remote) {
        Finding::Ours => {
            let read = Submission { last_read: Some(remote.status.clone()), ..submission.clone() };
            taken(o, &read, remote)
        }
        Finding::Nothing => over::end(o, job, submission, doubt.ending()),
        Finding::AnotherWindow => elsewhere(o, job, submission, remote),
    }
}

/// Konnect took it.
pub(crate) fn taken(o: &Observed, submission: &Submission, answer: &RemoteJob) -> Decision {
    let submission = Submission {
        state: SubmissionState::Accepted,
        accepted_time: Some(o.clock.stamp()),
        accepted: Some(record::konnect_job(answer, o.clock)),
        ..submission.clone()
    };
    Decision::Be(Situation::Underway { submission, job: Some(answer.clone()) }, wait::poll(o))
}

/// Ours is not shown where it was, or might have been. One reading can be stale; two that lie a poll apart are believed. The very
/// job from before ours cannot come again by itself: that is believed when it is shown for as long as a GET may lag.
pub(crate) fn elsewhere(o: &Observed, job: &ValidatedJob, submission: &Submission, now: &RemoteJob) -> Decision {
    let gone_back = finding::find(submission, now) == Finding::Nothing;
    let believed = if gone_back { o.policy.settle_time() } else { o.policy.poll_interval };
    let left = believed.saturating_sub(o.memory.shown_for()).min(o.policy.poll_interval);
    if !left.is_zero() {
        return Decision::Do(Step::Wait { wait: left, cause: WaitCause::Poll });
    }
    if record::shows_no_window(now) && !gone_back {
        // This says nothing: ours may still be under way.
        return Decision::Be(Situation::Unrecognisable { now: now.clone() }, wait::slow(o, WaitCause::Poll));
    }
    let was_running = submission.last_read == Some(RemoteStatus::Running);
    over::end(o, job, submission, if was_running { Ending::EndedUnseen } else { Ending::Superseded })
}
