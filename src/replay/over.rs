//! Submissions that are over without having completed: what is counted, when the window may be sent again, and when it is given
//! up (design: 4, step 8).

use chrono::{DateTime, TimeDelta, Utc};

use super::job::ValidatedJob;
use super::observed::Observed;
use super::policy::{LONGEST_WAIT, Policy, SUPERSEDED_LIMIT, UNSEEN_LIMIT};
use super::situation::{Decision, Ended, Situation};
use super::step::{Step, WaitCause};
use super::window::delta;
use super::{report, wait};
use crate::api::{Reason, Retries, Submission, SubmissionState};

/// How a submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Konnect reported `failed`.
    Failed,
    /// Another job stands where ours was, or might have been, or none does.
    Superseded,
    /// The same, and ours was running when it was last read, so that nobody can have replaced it before its end.
    EndedUnseen,
}

impl Ending {
    /// How the submission ended that left `state` behind.
    pub(super) fn of(state: &SubmissionState) -> Option<Self> {
        match state {
            SubmissionState::Failed => Some(Self::Failed),
            SubmissionState::Superseded => Some(Self::Superseded),
            SubmissionState::EndedUnseen => Some(Self::EndedUnseen),
            SubmissionState::Intended
            | SubmissionState::Accepted
            | SubmissionState::Adopted
            | SubmissionState::NotTaken
            | SubmissionState::Unknown(_) => None,
        }
    }

    fn state(self) -> SubmissionState {
        match self {
            Self::Failed => SubmissionState::Failed,
            Self::Superseded => SubmissionState::Superseded,
            Self::EndedUnseen => SubmissionState::EndedUnseen,
        }
    }

    /// The state in one word while the next try is waited for.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Failed => Reason::RemoteFailed,
            Self::Superseded => Reason::Superseded,
            Self::EndedUnseen => Reason::RemoteStateUnknown,
        }
    }

    fn counted(self, retries: &mut Retries) -> u32 {
        let counter = match self {
            Self::Failed => &mut retries.failed,
            Self::Superseded => &mut retries.superseded,
            Self::EndedUnseen => &mut retries.ended_unseen,
        };
        *counter = counter.saturating_add(1);
        *counter
    }

    fn limit(self, job: &ValidatedJob) -> u32 {
        match self {
            Self::Failed => job.backoff_limit,
            Self::Superseded => SUPERSEDED_LIMIT,
            Self::EndedUnseen => UNSEEN_LIMIT,
        }
    }

    fn given_up(self, submission: &Submission, count: u32) -> (Reason, String) {
        let window = report::span(submission.window);
        let runs = if count == 1 { "the run of".to_owned() } else { format!("{count} runs, the last of them for") };
        match self {
            Self::Failed => (
                Reason::BackoffLimitExceeded,
                format!(
                    "Konnect reported failed for {runs} {window}, and gives no reason; spec.backoffLimit \
                     allows no other try. Part of the events may have been delivered. See that the webhook's receiver answers 2xx, \
                     then create another AuditLogReplayJob for the window."
                ),
            ),
            Self::Superseded => (
                Reason::Superseded,
                format!(
                    "Konnect showed another job, or none, in the place of this one {count} times before its end was seen; the last \
                     was for {window}. It is not sent again. See who else replays this target, and at the receiver what arrived, then \
                     create another AuditLogReplayJob for what is missing."
                ),
            ),
            Self::EndedUnseen => (
                Reason::RemoteStateUnknown,
                format!(
                    "The replay of {window} was running when it was last seen, and its end was not seen because another job followed. \
                     That happened {count} times, so it is not sent again: it may well have completed. See at the receiver what \
                     arrived, then create another AuditLogReplayJob for what is missing."
                ),
            ),
        }
    }
}

/// A submission was found to be over: it is counted, and made again later, or given up.
pub(super) fn end(
    o: &Observed,
    job: &ValidatedJob,
    policy: &Policy,
    submission: &Submission,
    ending: Ending,
) -> Decision {
    let now = o.clock.stamp();
    let mut retries = o.status().retries.clone().unwrap_or_default();
    let count = ending.counted(&mut retries);
    let submission = Submission { state: ending.state(), end_time: Some(now), ..submission.clone() };
    if count > ending.limit(job) {
        let (reason, message) = ending.given_up(&submission, count);
        retries.next_time = None;
        let ended = Some(Box::new(Ended { submission, retries }));
        return Decision::Be(Situation::Failed { reason, message, ended }, Step::AwaitChange);
    }
    let next = now + delta(wait::backoff_spacing(o, policy, count));
    retries.next_time = Some(next);
    retries.requested_at = o.requested();
    Decision::Be(Situation::Over(Ended { submission, retries }), until(o, next))
}

/// After a submission that is over: the spacing, unless somebody has asked for a try since.
pub(super) fn spacing(o: &Observed, policy: &Policy) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some())?;
    let retries = o.status().retries.clone()?;
    let next = retries.next_time.filter(|next| *next > o.clock.wall)?;
    // A wall clock that was set back does not make a wait longer than any could have been meant.
    let misplaced = next - o.clock.wall > delta(wait::longest_backoff(policy)) + TimeDelta::seconds(1);
    if misplaced || o.requested() != retries.requested_at {
        return None;
    }
    let ended = Ended { submission: submission.clone(), retries };
    Some(Decision::Be(Situation::Over(ended), until(o, next)))
}

fn until(o: &Observed, next: DateTime<Utc>) -> Step {
    let left = (next - o.clock.wall).to_std().unwrap_or_default();
    Step::Wait { wait: left.min(LONGEST_WAIT).max(wait::SHORTEST), cause: WaitCause::Retry }
}

/// A run that was taken for lost and is shown again is followed on: to send it once more would double it.
pub(super) fn back_in_view(o: &Observed, policy: &Policy) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some_and(|e| e != Ending::Failed))?;
    let seen = o.learned.remote.as_ref()?.what.as_ref().ok()?;
    if super::settle::find(submission, &seen.value) != super::settle::Finding::Ours {
        return None;
    }
    let adopted = submission.accepted.is_none() && submission.accepted_time.is_some();
    let submission = Submission {
        state: if adopted { SubmissionState::Adopted } else { SubmissionState::Accepted },
        accepted_time: submission.accepted_time.or(Some(o.clock.stamp())),
        last_read: Some(seen.value.status.clone()),
        end_time: None,
        ..submission.clone()
    };
    let situation = Situation::Underway { submission, job: Some(seen.value.clone()) };
    Some(Decision::Be(situation, wait::poll(o, policy)))
}
