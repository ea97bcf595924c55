//! The state of a job as a label: fewer words than there are reasons, and each says who has to do something.

use prometheus_client::encoding::EncodeLabelValue;

use konnect_replay_core::api::{AuditLogReplayJob, ConditionStatus, ConditionType, Reason};
use konnect_replay_core::replay::ready_reason;

/// Where a job stands. Exactly one of these, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Seen, nothing done yet.
    Pending,
    /// Its window has not ended.
    Waiting,
    /// Another job goes first.
    Queued,
    /// Konnect runs a replay that is not ours.
    Blocked,
    /// A request is recorded, and Konnect's answer is not known yet.
    Submitting,
    /// Konnect has taken it.
    Running,
    /// A run failed, or was lost from view; another is made later.
    Retrying,
    /// Konnect does not work, or asked us to slow down.
    Unavailable,
    /// There is no usable token.
    NeedsCredentials,
    /// There is no enabled webhook.
    NeedsWebhook,
    /// Konnect does not know the portal.
    UnknownPortal,
    /// Another object is needed.
    Invalid,
    /// Held back by `spec.suspend`.
    Suspended,
    /// Done.
    Complete,
    /// Given up.
    Failed,
}

impl JobState {
    /// Every state, for series that are there from the start, and for documentation.
    pub const ALL: [Self; 15] = [
        Self::Pending,
        Self::Waiting,
        Self::Queued,
        Self::Blocked,
        Self::Submitting,
        Self::Running,
        Self::Retrying,
        Self::Unavailable,
        Self::NeedsCredentials,
        Self::NeedsWebhook,
        Self::UnknownPortal,
        Self::Invalid,
        Self::Suspended,
        Self::Complete,
        Self::Failed,
    ];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Blocked => "blocked",
            Self::Submitting => "submitting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Unavailable => "unavailable",
            Self::NeedsCredentials => "needs_credentials",
            Self::NeedsWebhook => "needs_webhook",
            Self::UnknownPortal => "unknown_portal",
            Self::Invalid => "invalid",
            Self::Suspended => "suspended",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    /// The state that a status tells.
    pub fn of(job: &AuditLogReplayJob) -> Self {
        let Some(status) = &job.status else { return Self::Pending };
        let holds = |type_: ConditionType| {
            status.conditions.iter().any(|c| c.type_ == type_ && c.status == ConditionStatus::True)
        };
        if holds(ConditionType::Complete) {
            return Self::Complete;
        }
        if holds(ConditionType::Failed) {
            return Self::Failed;
        }
        let over = status.submission.as_ref().is_some_and(|submission| submission.state.is_over());
        ready_reason(status).and_then(Reason::parse).map_or(Self::Pending, |reason| Self::of_unfinished(reason, over))
    }

    /// Whether it will never change again.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }

    /// `over`: the last submission has ended otherwise than completed.
    fn of_unfinished(reason: Reason, over: bool) -> Self {
        match reason {
            Reason::Queued => Self::Queued,
            Reason::WaitingForWindowEnd => Self::Waiting,
            Reason::WaitingForWebhook | Reason::WebhookDisabled | Reason::WebhookInactive => Self::NeedsWebhook,
            Reason::WaitingForCredentials
            | Reason::Unauthorized
            | Reason::Forbidden
            | Reason::SecretNotFound
            | Reason::SecretUnanswered
            | Reason::SecretKeyMissing
            | Reason::InvalidToken => Self::NeedsCredentials,
            Reason::BlockedByRemoteJob => Self::Blocked,
            Reason::Submitting => Self::Submitting,
            Reason::RemoteStateUnknown if over => Self::Retrying,
            Reason::Accepted
            | Reason::RemotePending
            | Reason::Running
            | Reason::Adopted
            | Reason::WindowClamped
            | Reason::RemoteStateUnknown => Self::Running,
            Reason::RemoteFailed | Reason::Superseded | Reason::NotTaken => Self::Retrying,
            Reason::RateLimited | Reason::KonnectUnavailable => Self::Unavailable,
            Reason::PortalNotFound => Self::UnknownPortal,
            Reason::InvalidWindow | Reason::InvalidRequest | Reason::RegionNotAllowed | Reason::DefinitionOutdated => {
                Self::Invalid
            }
            Reason::Suspended => Self::Suspended,
            // The rest is said of finished jobs, or of conditions that give detail.
            Reason::Pending
            | Reason::ClockInDoubt
            | Reason::Completed
            | Reason::AlreadyReplayed
            | Reason::BackoffLimitExceeded
            | Reason::DeadlineExceeded
            | Reason::StartingDeadlineExceeded
            | Reason::WindowExpired
            | Reason::TokenAccepted
            | Reason::WebhookEnabled => Self::Pending,
        }
    }
}

impl EncodeLabelValue for JobState {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}
