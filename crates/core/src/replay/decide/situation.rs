//! What is the case: the vocabulary between deciding and reporting.

use chrono::{DateTime, Utc};

use crate::api::{Reason, Retries, Submission};
use crate::konnect::{CallError, RemoteJob};
use crate::replay::facts::job::Refusal;
use crate::replay::facts::token::TokenProblem;
use crate::replay::step::{Step, WaitCause};

/// What the object will say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Situation {
    /// Seen; questions are being asked.
    Pending,
    /// The leader before did not end in order.
    TakingOver,
    /// Others go first. Only the next of a lane says who: else each end of a run would rewrite everybody behind it.
    Queued { blocked_by: Option<String> },
    /// Something that concerns this job has failed, and is not tried again yet, or another job tries it. `None` if it is this job
    /// that found it.
    HeldBack { blocked_by: Option<String>, cause: WaitCause },
    /// The spec cannot be worked with.
    Unacceptable(Refusal),
    /// Held back by the user.
    Suspended,
    /// The window has not ended, or not long enough ago.
    WindowOpen { until: DateTime<Utc> },
    /// There is no token to use.
    NoToken(TokenProblem),
    /// Konnect does not accept the token (401), or not for this (403).
    Denied(CallError),
    /// There is no enabled webhook, or nobody can tell.
    NoWebhook,
    /// Konnect does not know the portal. Whether it does under the other version of its API; `None` where no answer told.
    UnknownPortal { under_other_version: Option<bool> },
    /// Konnect asked us to slow down.
    RateLimited,
    /// Konnect, or the way to it, does not work.
    Unavailable(CallError),
    /// Somebody else's run is in the way. `None` where only a 409 says so.
    Blocked { by: Option<RemoteJob> },
    /// One clock alone says that it is too late, or too late for a part.
    ClockInDoubt,
    /// The definition of the object drops what limits sending.
    DefinitionOutdated,
    /// About to be sent.
    Intended(Submission),
    /// Sent, or perhaps sent, and not known to have been taken.
    InDoubt { why: Option<String> },
    /// Under way at Konnect, last read as `job`.
    Underway { submission: Submission, job: Option<RemoteJob> },
    /// What Konnect answers does not say which window it speaks of.
    Unrecognisable { now: RemoteJob },
    /// The last submission is over without having completed; another is made later.
    Over(Ended),
    /// Konnect reported `completed`.
    Completed { job: RemoteJob },
    /// The window was replayed before, by the object of that name, or by somebody at Konnect; the webhook's last answer was `code`.
    AlreadyReplayed { by: Option<String>, code: i32 },
    /// Given up; with the submission that is over, if that is why.
    Failed { reason: Reason, message: String, ended: Option<Box<Ended>> },
}

/// A submission that is over, and what is counted of all of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    /// Its record.
    pub(crate) submission: Submission,
    /// The counters, and when the next may be made.
    pub(crate) retries: Retries,
}

impl Situation {
    /// Whether Konnect's job could not be read.
    pub(crate) fn is_unread(&self) -> bool {
        match self {
            Self::NoToken(_)
            | Self::Denied(_)
            | Self::UnknownPortal { .. }
            | Self::RateLimited
            | Self::Unavailable(_) => true,
            Self::Pending
            | Self::TakingOver
            | Self::Queued { .. }
            | Self::HeldBack { .. }
            | Self::Unacceptable(_)
            | Self::Suspended
            | Self::WindowOpen { .. }
            | Self::NoWebhook
            | Self::Blocked { .. }
            | Self::ClockInDoubt
            | Self::DefinitionOutdated
            | Self::Intended(_)
            | Self::InDoubt { .. }
            | Self::Underway { .. }
            | Self::Unrecognisable { .. }
            | Self::Over(_)
            | Self::Completed { .. }
            | Self::AlreadyReplayed { .. }
            | Self::Failed { .. } => false,
        }
    }

    /// Given up for what has nothing to do with how a submission ended.
    pub(crate) fn failed((reason, message): (Reason, String)) -> Self {
        Self::Failed { reason, message, ended: None }
    }
}

/// What a part of the decision came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Do this; the object says what it said.
    Do(Step),
    /// See to it that the object says this, then do that.
    Be(Situation, Step),
    /// Record this submission; sending it is the next decision.
    Intend(Submission),
}

impl Decision {
    /// The same, ending in another step.
    pub(crate) fn map_step(self, change: impl FnOnce(Step) -> Step) -> Self {
        match self {
            Self::Do(step) => Self::Do(change(step)),
            Self::Be(situation, step) => Self::Be(situation, change(step)),
            Self::Intend(submission) => Self::Intend(submission),
        }
    }
}
