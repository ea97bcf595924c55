//! Submissions that are over without having completed: what is counted, when the window may be sent again, and when it is given
//! up (design: 4, step 8).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::job::ValidatedJob;
use super::observed::Observed;
use super::policy::{LIMIT_MARGIN, LONGEST_WAIT, NOT_SHOWN_LIMIT, Policy, SUPERSEDED_LIMIT, UNSEEN_LIMIT};
use super::situation::{Decision, Ended, Situation};
use super::step::{Step, WaitCause};
use super::window::delta;
use super::{prepare, report, wait};
use crate::api::{AuditLogReplayJobStatus, Reason, Retries, Submission, SubmissionState};

/// How a submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Konnect reported `failed`.
    Failed,
    /// Another job stands where ours was, or might have been, or none does.
    Superseded,
    /// The same, and ours was running when it was last read, so that no other request can have replaced it before its end.
    EndedUnseen,
    /// The answer to the request was lost, and Konnect was read not to have taken it.
    NotTaken,
    /// Konnect answered 2xx, and never showed a job of it.
    NotShown,
}

impl Ending {
    /// How the submission ended that left `state` behind.
    pub(super) fn of(state: &SubmissionState) -> Option<Self> {
        match state {
            SubmissionState::Failed => Some(Self::Failed),
            SubmissionState::Superseded => Some(Self::Superseded),
            SubmissionState::EndedUnseen => Some(Self::EndedUnseen),
            SubmissionState::NotTaken => Some(Self::NotTaken),
            SubmissionState::NotShown => Some(Self::NotShown),
            SubmissionState::Intended
            | SubmissionState::Accepted
            | SubmissionState::Adopted
            | SubmissionState::Unknown(_) => None,
        }
    }

    fn state(self) -> SubmissionState {
        match self {
            Self::Failed => SubmissionState::Failed,
            Self::Superseded => SubmissionState::Superseded,
            Self::EndedUnseen => SubmissionState::EndedUnseen,
            Self::NotTaken => SubmissionState::NotTaken,
            Self::NotShown => SubmissionState::NotShown,
        }
    }

    /// The state in one word while the next try is waited for.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Failed => Reason::RemoteFailed,
            Self::Superseded => Reason::Superseded,
            Self::EndedUnseen | Self::NotShown => Reason::RemoteStateUnknown,
            Self::NotTaken => Reason::NotTaken,
        }
    }

    /// Whether a run may have come of it, so that its window must not be used again.
    pub(super) fn may_have_run(self) -> bool {
        match self {
            Self::Failed | Self::Superseded | Self::EndedUnseen | Self::NotShown => true,
            Self::NotTaken => false,
        }
    }

    /// Whether it may still be under way, or be shown as completed later.
    fn may_come_back(self) -> bool {
        match self {
            Self::Superseded | Self::EndedUnseen | Self::NotShown => true,
            Self::Failed | Self::NotTaken => false,
        }
    }

    /// How long after its end it is made again, when it was the `count`th that ended so. A lost answer has cost the settle time
    /// already: the first is made again at once.
    fn spacing(self, o: &Observed, policy: &Policy, count: u32) -> Duration {
        match self {
            Self::NotTaken if count <= 1 => Duration::ZERO,
            Self::NotTaken => wait::backoff_spacing(o, policy, count - 1),
            Self::Failed | Self::Superseded | Self::EndedUnseen | Self::NotShown => {
                wait::backoff_spacing(o, policy, count)
            }
        }
    }

    fn counted(self, retries: &mut Retries) -> u32 {
        let counter = match self {
            Self::Failed => &mut retries.failed,
            Self::Superseded => &mut retries.superseded,
            Self::EndedUnseen => &mut retries.ended_unseen,
            Self::NotTaken => &mut retries.not_taken,
            Self::NotShown => &mut retries.not_shown,
        };
        *counter = counter.saturating_add(1);
        *counter
    }

    fn limit(self, job: &ValidatedJob) -> u32 {
        match self {
            Self::Failed => job.backoff_limit,
            Self::Superseded => SUPERSEDED_LIMIT,
            Self::EndedUnseen => UNSEEN_LIMIT,
            Self::NotTaken => u32::MAX,
            Self::NotShown => NOT_SHOWN_LIMIT,
        }
    }

    /// Whether it is the failure of a run that was adopted.
    fn is_somebody_elses(self, submission: &Submission) -> bool {
        self == Self::Failed && was_adopted(submission)
    }

    /// Whether the counters of `status.retries` must show it.
    fn is_counted(self, submission: &Submission) -> bool {
        self != Self::NotTaken && !self.is_somebody_elses(submission)
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
            Self::NotShown => (
                Reason::RemoteStateUnknown,
                format!(
                    "Konnect answered {count} requests with success (2xx) and never showed a replay job of them; the last was for \
                     {window}. It is not sent again: whether Konnect sent any events is not known. See at the receiver what arrived, \
                     then create another AuditLogReplayJob for what is missing."
                ),
            ),
            // It has no limit: nothing was sent, and only the wait between two requests grows.
            Self::NotTaken => (Reason::NotTaken, format!("Konnect took none of {count} requests for {window}.")),
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
    // The failure of an adopted run does not use up this object's own tries.
    let count = if ending.is_somebody_elses(submission) { 1 } else { ending.counted(&mut retries) };
    let submission = Submission { state: ending.state(), end_time: Some(now), ..submission.clone() };
    if count > ending.limit(job) && !ending.is_somebody_elses(&submission) {
        let (reason, message) = ending.given_up(&submission, count);
        retries.next_time = None;
        let ended = Some(Box::new(Ended { submission, retries }));
        return Decision::Be(Situation::Failed { reason, message, ended }, Step::AwaitChange);
    }
    let next = now + delta(ending.spacing(o, policy, count));
    retries.next_time = Some(next);
    retries.requested_at = o.requested();
    Decision::Be(Situation::Over(Ended { submission, retries }), until(o, next))
}

/// A run that cannot be read, because its token is gone for example, is given up when Konnect cannot replay anything of its window any
/// more and nothing was heard of it for an hour. Until then `decision` stands: the token may come back.
pub(super) fn unread(o: &Observed, policy: &Policy, submission: &Submission, decision: Decision) -> Decision {
    let is_expired = o.clock.wall >= submission.window.end_at + delta(policy.retention) + delta(LIMIT_MARGIN);
    match &decision {
        Decision::Be(situation, _) if situation.is_unread() && is_expired && o.memory.is_quiet(o.clock.mono) => {
            // One moment of a wrong clock gives up no run.
            if !prepare::is_believed(o, policy, true) {
                return decision;
            }
            let message = format!(
                "The replay of {} could not be read at Konnect until its window had expired there, so whether it completed is not \
                 known. It is not sent again. The status says when it was last read; see at the receiver what arrived.",
                report::span(submission.window)
            );
            Decision::Be(Situation::failed((Reason::RemoteStateUnknown, message)), Step::AwaitChange)
        }
        Decision::Be(..) | Decision::Do(_) | Decision::Intend(_) => decision,
    }
}

/// Whether `stored` limits how often the window is sent as `meant` does. An older definition of the object drops what it does not know.
/// How often a request was not taken is left out: nothing was sent by it.
pub(super) fn limits_as_much(stored: &AuditLogReplayJobStatus, meant: &AuditLogReplayJobStatus) -> bool {
    let limits = |status: &AuditLogReplayJobStatus| {
        let submission = status.submission.as_ref().map(|s| (s.id.clone(), s.state.clone(), s.window));
        let retries = status.retries.clone().unwrap_or_default();
        (submission, status.attempts, Retries { not_taken: 0, ..retries })
    };
    limits(stored) == limits(meant)
}

/// A submission that is over and was not counted, because the definition of the object dropped the count: it is counted before anything
/// is sent on the strength of it.
pub(super) fn uncounted(o: &Observed, job: &ValidatedJob, policy: &Policy) -> Option<Decision> {
    let submission = o.submission()?;
    let ending = Ending::of(&submission.state)?;
    // It was tried a moment ago.
    if report::says_one_of(&o.status(), &[Reason::DefinitionOutdated])
        && let Some(decision) = prepare::resting(o, policy)
    {
        return Some(decision);
    }
    let mut retries = o.status().retries.clone().unwrap_or_default();
    let counted = !ending.is_counted(submission) || ending.counted(&mut retries) > 1;
    (!counted).then(|| end(o, job, policy, submission, ending))
}

/// After a submission that is over: the spacing, unless somebody has asked for a try since.
pub(super) fn spacing(o: &Observed, policy: &Policy) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some())?;
    let retries = o.status().retries.clone()?;
    let next = retries.next_time.filter(|next| *next > o.clock.wall)?;
    // A wall clock that was set back does not make a wait longer than any could have been meant.
    let misplaced = next - o.clock.wall > delta(wait::longest_backoff(policy)) + TimeDelta::seconds(1);
    if misplaced {
        return None;
    }
    // Who asks for a try now gets one, but not more often than a run is looked at.
    let asked = o.requested() != retries.requested_at;
    let hurry = o.clock.wall + delta(o.memory.hurry_in(o.clock, policy.poll_interval));
    let due = if asked { hurry.min(next) } else { next };
    if due <= o.clock.wall {
        return None;
    }
    let ended = Ended { submission: submission.clone(), retries };
    Some(Decision::Be(Situation::Over(ended), until(o, due)))
}

fn until(o: &Observed, next: DateTime<Utc>) -> Step {
    let left = (next - o.clock.wall).to_std().unwrap_or_default();
    Step::Wait { wait: left.min(LONGEST_WAIT).max(wait::SHORTEST), cause: WaitCause::Retry }
}

/// Whether a submission that is over followed a run that it had not begun.
fn was_adopted(submission: &Submission) -> bool {
    submission.state == SubmissionState::Adopted
        || (submission.accepted.is_none() && submission.accepted_time.is_some())
}

/// A run that was taken for lost and is shown again is followed on: to send it once more would double it.
pub(super) fn back_in_view(o: &Observed, policy: &Policy) -> Option<Decision> {
    let submission = o.submission().filter(|s| Ending::of(&s.state).is_some_and(Ending::may_come_back))?;
    let seen = o.learned.remote.as_ref()?.what.as_ref().ok()?;
    if super::settle::find(submission, &seen.value) != super::settle::Finding::Ours {
        return None;
    }
    let submission = Submission {
        state: if was_adopted(submission) { SubmissionState::Adopted } else { SubmissionState::Accepted },
        accepted_time: submission.accepted_time.or(Some(o.clock.stamp())),
        last_read: Some(seen.value.status.clone()),
        end_time: None,
        ..submission.clone()
    };
    let situation = Situation::Underway { submission, job: Some(seen.value.clone()) };
    Some(Decision::Be(situation, wait::poll(o, policy)))
}
