//! The one thing to do next.

use std::time::Duration;

use crate::api::{AuditLogReplayJobStatus, TimeRange};

/// The one thing to do next. The first group asks, the second changes something, the third ends the pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask whether lane and target are free for this job, and reserve them if so.
    TakeTurn,
    /// Read the token from its Secret.
    ReadToken,
    /// Read the webhook's configuration and status.
    ReadWebhook {
        /// Only for the record: give up soon.
        brief: bool,
    },
    /// Read Konnect's replay job.
    ReadRemoteJob,
    /// Read Konnect's replay job under the other version of its API, only to tell whether it knows the target there.
    ReadOtherVersion,
    /// Look at the Complete objects of the same namespace.
    ReadSiblings,

    /// Write this status, which records a submission that has not been sent yet.
    WriteIntent(Box<AuditLogReplayJobStatus>),
    /// Send the recorded submission, once.
    Submit {
        /// Id of the record.
        id: String,
        /// The recorded window.
        window: TimeRange,
    },
    /// Write this status.
    WriteStatus(Box<AuditLogReplayJobStatus>),
    /// Delete the object, if it is exactly the version that was looked at.
    Delete,

    /// Come back after `wait`, or when the object changes.
    Wait {
        /// How long.
        wait: Duration,
        /// For what.
        cause: WaitCause,
    },
    /// Come back when the object changes.
    AwaitChange,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitCause {
    /// The next look at our run.
    Poll,
    /// A request of unknown outcome to settle.
    Settle,
    /// Somebody else's run at Konnect to end.
    RemoteJob,
    /// A run to end that Konnect refused a request for (409), although it showed none.
    Conflict,
    /// Konnect to work again.
    Konnect,
    /// Konnect to let us call again.
    RateLimit,
    /// The apiserver to answer.
    Kubernetes,
    /// A usable token.
    Credentials,
    /// A token that may do this at this target.
    Permission,
    /// An enabled webhook.
    Webhook,
    /// The portal to be known.
    Portal,
    /// The window to end.
    WindowEnd,
    /// Lane or target to be free.
    Turn,
    /// The next try, after a submission that failed or went astray.
    Retry,
    /// The definition of the object to know what the operator writes.
    Definition,
    /// The end of a wait that an earlier pass began.
    Resting,
    /// The end of what a finished object has to live.
    TimeToLive,
}

impl WaitCause {
    /// Whether the time of the next call to Konnect was set by this wait, so that a wake-up before it asks nothing.
    pub fn is_rest(self) -> bool {
        match self {
            Self::Poll
            | Self::Settle
            | Self::RemoteJob
            | Self::Conflict
            | Self::Konnect
            | Self::RateLimit
            | Self::Kubernetes
            | Self::Credentials
            | Self::Permission
            | Self::Webhook
            | Self::Definition
            | Self::Portal => true,
            Self::WindowEnd | Self::Turn | Self::Retry | Self::Resting | Self::TimeToLive => false,
        }
    }

    /// What a job that waits for this does with its place in the lane. What blocks the whole lane keeps it; what is this job's own
    /// trouble, or may be, does not, so that it blocks nobody else (invariant I6).
    pub(super) fn place(self) -> Place {
        match self {
            Self::Poll | Self::Settle | Self::RemoteJob | Self::Conflict | Self::Kubernetes | Self::Resting => {
                Place::Kept
            }
            Self::Konnect | Self::RateLimit => Place::KeptForARunElseQueued,
            Self::Credentials | Self::Permission | Self::Portal => Place::KeptForARun,
            Self::Definition | Self::Webhook | Self::WindowEnd | Self::Turn | Self::Retry | Self::TimeToLive => {
                Place::GivenUp
            }
        }
    }
}

/// What becomes of a place in the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is kept.
    Kept,
    /// It is kept if a run of the job's may be under way.
    KeptForARun,
    /// The same; else the job waits for it again in its order, so that a moment's trouble costs it nothing.
    KeptForARunElseQueued,
    /// It is given up whatever the record says: a request in doubt was read not to have been taken before any such wait is said, and
    /// what is to be tried again is over.
    GivenUp,
}
