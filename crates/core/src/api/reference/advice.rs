//! What to do about each condition and reason, for the reference. Matched exhaustively: a new word needs a sentence.

use crate::api::{ConditionType, Reason};

/// The conditions under which a reason is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// `Ready`, and the other conditions that say how it goes on, which repeat its reason.
    Ready,
    /// `Submitted`, besides reasons of `Ready`.
    Submitted,
    /// `CredentialsValid`.
    Credentials,
    /// `WebhookReady`.
    Webhook,
}

impl On {
    pub(super) const ALL: [Self; 4] = [Self::Ready, Self::Submitted, Self::Credentials, Self::Webhook];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Ready => "Of `Ready`: the state in one word, which the conditions that hold with it repeat",
            Self::Submitted => "Of `Submitted`, besides those of `Ready`",
            Self::Credentials => "Of `CredentialsValid`",
            Self::Webhook => "Of `WebhookReady`",
        }
    }
}

const NOTHING: &str = "Nothing.";
const MEND: &str = "Correct what the message names; the job continues by itself.";

/// When a condition holds, and what to do then.
pub(super) fn condition(type_: &ConditionType) -> (&'static str, &'static str) {
    match type_ {
        ConditionType::Complete => ("Konnect replayed the window, or had done so before. Terminal.", NOTHING),
        ConditionType::Failed => (
            "The window was not replayed and will not be. Terminal.",
            "Read its message; to have the window replayed after all, create another object.",
        ),
        ConditionType::Finished => ("`Complete` or `Failed`, so that one `kubectl wait` covers both.", NOTHING),
        ConditionType::Suspended => {
            ("`spec.suspend` holds the job back.", "Set it to false to continue, before Konnect deletes the events.")
        }
        ConditionType::Ready => ("The job is complete. Its reason is the state in one word.", NOTHING),
        ConditionType::Reconciling => ("Work is under way, or the job waits. It continues by itself.", NOTHING),
        ConditionType::Stalled => (
            "The job failed, or does not continue until what its message names is corrected (for 5 minutes at least, where that may happen by itself).",
            MEND,
        ),
        ConditionType::Submitted => (
            "Konnect has taken the request. False: it refused it, or the run is over without having completed.",
            NOTHING,
        ),
        ConditionType::CredentialsValid => {
            ("Konnect accepted the token at the last call.", "If False, correct the Secret.")
        }
        ConditionType::WebhookReady => (
            "Konnect has an enabled webhook to replay to.",
            "If False, enable it in Konnect, or set `webhookPolicy: Ignore`.",
        ),
        ConditionType::Unknown(_) => ("Written by another version of the operator.", NOTHING),
    }
}

/// Where a reason stands, and what to do about it.
pub(super) fn advice(reason: Reason) -> (&'static [On], &'static str) {
    use On::{Credentials, Ready, Submitted, Webhook};
    match reason {
        Reason::Pending
        | Reason::Submitting
        | Reason::RemotePending
        | Reason::Running
        | Reason::Completed
        | Reason::RateLimited => (&[Ready], NOTHING),
        Reason::Accepted => (&[Ready, Submitted], NOTHING),
        Reason::Queued => {
            (&[Ready], "Nothing; `kubectl replay list` shows the order, and the message what has failed, if anything.")
        }
        Reason::WaitingForWindowEnd => (&[Ready], "Nothing, unless the end of the window is a mistake."),
        Reason::WaitingForWebhook => {
            (&[Ready], "Enable the webhook in Konnect, or set `webhookPolicy: Ignore`. The job continues by itself.")
        }
        Reason::WaitingForCredentials => {
            (&[Ready], "Correct the token's Secret, as `CredentialsValid` says. The job continues by itself.")
        }
        Reason::BlockedByRemoteJob => {
            (&[Ready], "Nothing: the operator overwrites no replay. If it lasts, see who replays.")
        }
        Reason::Adopted => (&[Ready], "Nothing. After the end: it was this run that completed."),
        Reason::AlreadyReplayed => {
            (&[Ready], "Nothing; with `duplicatePolicy: Replay` another object sends it all the same.")
        }
        Reason::RemoteFailed => {
            (&[Ready], "See that the webhook's receiver answers 2xx. Another try follows by itself.")
        }
        Reason::Superseded => (
            &[Ready],
            "See who else replays this target. Another try follows by itself unless `Failed` says otherwise.",
        ),
        Reason::NotTaken => (
            &[Ready],
            "Nothing, if it passes: the operator repeats the request, after a wait that grows. Else see the connection to Konnect.",
        ),
        Reason::BackoffLimitExceeded => {
            (&[Ready], "Repair the webhook's receiver, then create another object for the window.")
        }
        Reason::DeadlineExceeded => {
            (&[Ready], "See at the receiver what arrives, then create another object for what is missing.")
        }
        Reason::StartingDeadlineExceeded => {
            (&[Ready], "Nothing of it is under way: create another object if it is still wanted.")
        }
        Reason::WindowExpired => {
            (&[Ready], "If part of the window is left, create another object with `expiryPolicy: Clamp`.")
        }
        Reason::WindowClamped => (&[Submitted], "See `status.window` for what was sent."),
        Reason::InvalidWindow => (&[Ready], "Create another object with the times that are meant."),
        Reason::InvalidRequest => (&[Ready], "Create another object, as the message says."),
        Reason::PortalNotFound => (
            &[Ready, Webhook],
            "See that portal, region and token belong together; if `target.konnectAPIVersion` names a version, try `Auto`.",
        ),
        Reason::Unauthorized => (&[Credentials], "Put a new token into the Secret."),
        Reason::Forbidden => (&[Credentials], "Give the token's account the role Audit Log Admin."),
        Reason::SecretNotFound => {
            (&[Credentials], "Create the Secret, correct `tokenSecretRef`, or let the operator read it.")
        }
        Reason::SecretKeyMissing => (&[Credentials], "Add the token under that key, or correct `tokenSecretRef.key`."),
        Reason::InvalidToken => (&[Credentials], "Put the token, and nothing else, under that key."),
        Reason::RegionNotAllowed => {
            (&[Ready], "Create an object for another region, or have it added with `--regions`.")
        }
        Reason::TokenAccepted => (&[Credentials], NOTHING),
        Reason::WebhookEnabled => (&[Webhook], NOTHING),
        Reason::WebhookDisabled => (&[Webhook], "Enable it in Konnect, or set `webhookPolicy: Ignore`."),
        Reason::WebhookInactive => (&[Webhook], "See that the receiver answers 2xx. The replay is sent all the same."),
        Reason::KonnectUnavailable => (
            &[Ready, Webhook],
            "Nothing, if it passes; else see the connection to Konnect, such as a proxy or its certificate.",
        ),
        Reason::RemoteStateUnknown => {
            (&[Ready], "Nothing, unless `Failed` holds too: then see at the receiver what arrived.")
        }
        Reason::ClockInDoubt => (
            &[Ready],
            "Nothing, if it passes within a minute; else see that the clock of the operator's node is right.",
        ),
        Reason::DefinitionOutdated => {
            (&[Ready], "Install the CustomResourceDefinition of the operator's version. The job continues by itself.")
        }
        Reason::SecretUnanswered => (&[Credentials], "Nothing, if it passes; else see the API server."),
        Reason::Suspended => (&[Ready], "Set `spec.suspend` to false when it is to continue."),
    }
}

/// Whether the reference lists this reason under this condition.
#[cfg(test)]
pub(crate) fn is_documented(type_: &ConditionType, word: &str) -> bool {
    let on = match type_ {
        ConditionType::CredentialsValid => &[On::Credentials][..],
        ConditionType::WebhookReady => &[On::Webhook],
        ConditionType::Submitted => &[On::Submitted, On::Ready],
        _ => &[On::Ready],
    };
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == word);
    reason.is_some_and(|reason| advice(*reason).0.iter().any(|place| on.contains(place)))
}
