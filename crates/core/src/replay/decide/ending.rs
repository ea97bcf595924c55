//! How a submission ended, and what follows from that: what is counted, when it is made again, and when it is given up.

use std::time::Duration;

use crate::api::{Reason, Retries, Submission, SubmissionState};
use crate::replay::decide::wait;
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{NOT_SHOWN_LIMIT, SUPERSEDED_LIMIT, UNSEEN_LIMIT};
use crate::replay::facts::window;

/// How a submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
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
    pub(crate) fn of(state: &SubmissionState) -> Option<Self> {
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

    pub(crate) fn state(self) -> SubmissionState {
        match self {
            Self::Failed => SubmissionState::Failed,
            Self::Superseded => SubmissionState::Superseded,
            Self::EndedUnseen => SubmissionState::EndedUnseen,
            Self::NotTaken => SubmissionState::NotTaken,
            Self::NotShown => SubmissionState::NotShown,
        }
    }

    /// The state in one word while the next try is waited for.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Failed => Reason::RemoteFailed,
            Self::Superseded => Reason::Superseded,
            Self::EndedUnseen | Self::NotShown => Reason::RemoteStateUnknown,
            Self::NotTaken => Reason::NotTaken,
        }
    }

    /// Whether a run may have come of it, so that its window must not be used again.
    pub(crate) fn may_have_run(self) -> bool {
        match self {
            Self::Failed | Self::Superseded | Self::EndedUnseen | Self::NotShown => true,
            Self::NotTaken => false,
        }
    }

    /// Whether it may still be under way, or be shown as completed later.
    pub(crate) fn may_come_back(self) -> bool {
        match self {
            Self::Superseded | Self::EndedUnseen | Self::NotShown => true,
            Self::Failed | Self::NotTaken => false,
        }
    }

    /// How long after its end it is made again, when it was the `count`th that ended so. A lost answer has cost the settle time
    /// already: the first is made again at once.
    pub(crate) fn spacing(self, o: &Observed, count: u32) -> Duration {
        match self {
            Self::NotTaken if count <= 1 => Duration::ZERO,
            Self::NotTaken => wait::backoff_spacing(o, count - 1),
            Self::Failed | Self::Superseded | Self::EndedUnseen | Self::NotShown => wait::backoff_spacing(o, count),
        }
    }

    pub(crate) fn counted(self, retries: &mut Retries) -> u32 {
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

    pub(crate) fn limit(self, job: &ValidatedJob) -> u32 {
        match self {
            Self::Failed => job.backoff_limit,
            Self::Superseded => SUPERSEDED_LIMIT,
            Self::EndedUnseen => UNSEEN_LIMIT,
            Self::NotTaken => u32::MAX,
            Self::NotShown => NOT_SHOWN_LIMIT,
        }
    }

    /// Whether it is the failure of a run that was adopted.
    pub(crate) fn is_somebody_elses(self, submission: &Submission) -> bool {
        self == Self::Failed && was_adopted(submission)
    }

    /// Whether the counters of `status.retries` must show it.
    pub(crate) fn is_counted(self, submission: &Submission) -> bool {
        self != Self::NotTaken && !self.is_somebody_elses(submission)
    }

    pub(crate) fn given_up(self, submission: &Submission, count: u32) -> (Reason, String) {
        let window = window::span(submission.window);
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

/// Whether a submission that is over followed a run that it had not begun.
pub(crate) fn was_adopted(submission: &Submission) -> bool {
    submission.state == SubmissionState::Adopted
        || (submission.accepted.is_none() && submission.accepted_time.is_some())
}
