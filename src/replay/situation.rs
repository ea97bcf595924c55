//! What is the case: the vocabulary between deciding and reporting.

use chrono::{DateTime, Utc};

use super::job::Refusal;
use super::lanes::TroubleWith;
use super::observed::TokenProblem;
use super::step::Step;
use crate::api::{Reason, Submission};
use crate::konnect::{CallError, RemoteJob};

/// What the object will say.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Situation {
    /// Seen; questions are being asked.
    Pending,
    /// The leader before did not end in order.
    TakingOver,
    /// Others go first. Only the next of a lane says who: else each end of a run would rewrite everybody behind it.
    Queued { blocked_by: Option<String> },
    /// Another job looks into trouble that this one shares.
    PassedOver { blocked_by: String, with: TroubleWith },
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
    /// Konnect does not know the portal.
    UnknownPortal,
    /// Konnect asked us to slow down.
    RateLimited,
    /// Konnect, or the way to it, does not work.
    Unavailable(CallError),
    /// Somebody else's run is in the way. `None` where only a 409 says so.
    Blocked { by: Option<RemoteJob> },
    /// About to be sent.
    Intended(Submission),
    /// Sent, or perhaps sent, and not known to have been taken.
    InDoubt { why: Option<String> },
    /// Under way at Konnect, last read as `job`.
    Underway { submission: Submission, job: Option<RemoteJob> },
    /// Another job stands where ours was.
    Astray { now: RemoteJob, ended_unseen: bool },
    /// Konnect reported `completed`.
    Completed { job: RemoteJob },
    /// Given up.
    Failed { reason: Reason, message: String },
}

/// What a part of the decision came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Do this; the object says what it said.
    Do(Step),
    /// See to it that the object says this, then do that.
    Be(Situation, Step),
    /// Record this submission; sending it is the next decision.
    Intend(Submission),
}
