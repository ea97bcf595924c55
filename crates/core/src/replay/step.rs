//! The one thing to do next.

use std::time::Duration;

use crate::api::{AuditLogReplayJobStatus, Reason, TimeRange};

/// The one thing to do next. The first group asks, the second changes something, the third ends the pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask whether the job may start, and reserve its lane and its target if so.
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
    /// Read Konnect's replay job under the other version of its API, to tell whether it knows the target there.
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
    /// A Secret with a usable token.
    Secret,
    /// A token that Konnect accepts (401).
    Credentials,
    /// A token that may do this at this target (403).
    Permission,
    /// A GET that is answered otherwise than with another 4xx.
    Rejected,
    /// The next PUT, after Konnect refused a PUT for another reason than a run under way.
    PutRefused,
    /// The next PUT, after a PUT that certainly had no effect although no answer said so.
    NotTaken,
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
            | Self::Secret
            | Self::Credentials
            | Self::Permission
            | Self::Rejected
            | Self::PutRefused
            | Self::NotTaken
            | Self::Webhook
            | Self::Definition
            | Self::Portal => true,
            Self::WindowEnd | Self::Turn | Self::Retry | Self::Resting | Self::TimeToLive => false,
        }
    }

    /// The reasons by which a status speaks of this wait.
    pub(super) fn reasons(self) -> &'static [Reason] {
        match self {
            Self::Secret | Self::Credentials | Self::Permission => &[Reason::WaitingForCredentials],
            Self::Webhook => &[Reason::WaitingForWebhook],
            Self::Portal => &[Reason::PortalNotFound],
            Self::Konnect | Self::Rejected => &[Reason::KonnectUnavailable],
            Self::RateLimit => &[Reason::RateLimited],
            Self::RemoteJob | Self::Conflict => &[Reason::BlockedByRemoteJob],
            Self::PutRefused => &[Reason::WaitingForCredentials, Reason::PortalNotFound, Reason::KonnectUnavailable],
            Self::NotTaken => &[Reason::NotTaken],
            Self::Definition => &[Reason::DefinitionOutdated],
            Self::Kubernetes
            | Self::Poll
            | Self::Settle
            | Self::WindowEnd
            | Self::Turn
            | Self::Retry
            | Self::Resting
            | Self::TimeToLive => &[],
        }
    }
}
