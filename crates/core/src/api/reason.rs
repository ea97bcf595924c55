//! The reasons of conditions: a stable API. Alerts and scripts match on these words, so a word is never renamed.

/// Why a condition is as it is. One word each; docs and messages carry the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, schemars::JsonSchema)]
pub enum Reason {
    /// Seen, nothing done yet.
    Pending,
    /// Another job of the same region and token, or of the same target, goes first; or what this job needs has failed for another job.
    Queued,
    /// The end of the window, plus the ingest delay, has not passed yet.
    WaitingForWindowEnd,
    /// Konnect has no enabled webhook to replay to, see the `WebhookReady` condition.
    WaitingForWebhook,
    /// The token cannot be used, see the `CredentialsValid` condition.
    WaitingForCredentials,
    /// Konnect runs, or has queued, a replay job that is not this one.
    BlockedByRemoteJob,
    /// The intent to send is recorded; Konnect's answer is not known yet.
    Submitting,
    /// Konnect accepted the replay.
    Accepted,
    /// Konnect has scheduled the replay.
    RemotePending,
    /// Konnect is sending the events.
    Running,
    /// Konnect reported `completed` for this window.
    Completed,
    /// A run of this very window that was already under way at Konnect is followed instead of sending again.
    Adopted,
    /// Every second of this window was delivered before, by a record of this namespace or by Konnect's last job; nothing was sent.
    AlreadyReplayed,
    /// Konnect reported `failed` for this window.
    RemoteFailed,
    /// Konnect shows another job, or none, where this one was, before its end was seen.
    Superseded,
    /// The answer to the last request was lost, and Konnect did not take the request; it is made again.
    NotTaken,
    /// Konnect reported more failed runs than `spec.backoffLimit` allows.
    BackoffLimitExceeded,
    /// The replay did not complete within `spec.activeDeadlineSeconds`.
    DeadlineExceeded,
    /// Konnect accepted no replay within `spec.startingDeadlineSeconds`.
    StartingDeadlineExceeded,
    /// The start of the window has left Konnect's retention: its first events are deleted.
    WindowExpired,
    /// What was sent begins later than was asked for: Konnect had deleted what came before.
    WindowClamped,
    /// The window cannot be replayed as written.
    InvalidWindow,
    /// The target, the reference or the request as a whole is not acceptable, here or at Konnect (400).
    InvalidRequest,
    /// Konnect does not know the portal (404).
    PortalNotFound,
    /// Konnect refused the token (401).
    Unauthorized,
    /// Konnect knows the token but does not let it replay (403).
    Forbidden,
    /// The Secret does not exist, or may not be read.
    SecretNotFound,
    /// The Secret exists and has no such key.
    SecretKeyMissing,
    /// The Secret's value cannot be a Konnect token.
    InvalidToken,
    /// The installer does not allow this region.
    RegionNotAllowed,
    /// The token was accepted at the last call.
    TokenAccepted,
    /// The webhook is enabled and its last delivery, if any, was good.
    WebhookEnabled,
    /// Konnect has no webhook here, or it is switched off.
    WebhookDisabled,
    /// The webhook is enabled, but its last delivery failed.
    WebhookInactive,
    /// Konnect limits the calls of this token (429).
    RateLimited,
    /// Konnect, or the way to it, does not work.
    KonnectUnavailable,
    /// What became of this job's run or request at Konnect is not known.
    RemoteStateUnknown,
    /// One clock alone says that the window has expired or that a deadline has passed; a second reading decides.
    ClockInDoubt,
    /// The definition of the object in this cluster is older than the operator and drops what limits sending; nothing is sent.
    DefinitionOutdated,
    /// The API server did not answer when the Secret was read.
    SecretUnanswered,
    /// `spec.suspend` holds the job back.
    Suspended,
}

impl Reason {
    /// Every reason, for documentation and for the test that each is reached.
    pub const ALL: &[Self] = &[
        Self::Pending,
        Self::Queued,
        Self::WaitingForWindowEnd,
        Self::WaitingForWebhook,
        Self::WaitingForCredentials,
        Self::BlockedByRemoteJob,
        Self::Submitting,
        Self::Accepted,
        Self::RemotePending,
        Self::Running,
        Self::Completed,
        Self::Adopted,
        Self::AlreadyReplayed,
        Self::RemoteFailed,
        Self::Superseded,
        Self::NotTaken,
        Self::BackoffLimitExceeded,
        Self::DeadlineExceeded,
        Self::StartingDeadlineExceeded,
        Self::WindowExpired,
        Self::WindowClamped,
        Self::InvalidWindow,
        Self::InvalidRequest,
        Self::PortalNotFound,
        Self::Unauthorized,
        Self::Forbidden,
        Self::SecretNotFound,
        Self::SecretKeyMissing,
        Self::InvalidToken,
        Self::RegionNotAllowed,
        Self::TokenAccepted,
        Self::WebhookEnabled,
        Self::WebhookDisabled,
        Self::WebhookInactive,
        Self::RateLimited,
        Self::KonnectUnavailable,
        Self::RemoteStateUnknown,
        Self::ClockInDoubt,
        Self::DefinitionOutdated,
        Self::SecretUnanswered,
        Self::Suspended,
    ];

    /// The reason of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|reason| reason.as_str() == word).copied()
    }

    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Queued => "Queued",
            Self::WaitingForWindowEnd => "WaitingForWindowEnd",
            Self::WaitingForWebhook => "WaitingForWebhook",
            Self::WaitingForCredentials => "WaitingForCredentials",
            Self::BlockedByRemoteJob => "BlockedByRemoteJob",
            Self::Submitting => "Submitting",
            Self::Accepted => "Accepted",
            Self::RemotePending => "RemotePending",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Adopted => "Adopted",
            Self::AlreadyReplayed => "AlreadyReplayed",
            Self::RemoteFailed => "RemoteFailed",
            Self::Superseded => "Superseded",
            Self::NotTaken => "NotTaken",
            Self::BackoffLimitExceeded => "BackoffLimitExceeded",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::StartingDeadlineExceeded => "StartingDeadlineExceeded",
            Self::WindowExpired => "WindowExpired",
            Self::WindowClamped => "WindowClamped",
            Self::InvalidWindow => "InvalidWindow",
            Self::InvalidRequest => "InvalidRequest",
            Self::PortalNotFound => "PortalNotFound",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretKeyMissing => "SecretKeyMissing",
            Self::InvalidToken => "InvalidToken",
            Self::RegionNotAllowed => "RegionNotAllowed",
            Self::TokenAccepted => "TokenAccepted",
            Self::WebhookEnabled => "WebhookEnabled",
            Self::WebhookDisabled => "WebhookDisabled",
            Self::WebhookInactive => "WebhookInactive",
            Self::RateLimited => "RateLimited",
            Self::KonnectUnavailable => "KonnectUnavailable",
            Self::RemoteStateUnknown => "RemoteStateUnknown",
            Self::ClockInDoubt => "ClockInDoubt",
            Self::DefinitionOutdated => "DefinitionOutdated",
            Self::SecretUnanswered => "SecretUnanswered",
            Self::Suspended => "Suspended",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
