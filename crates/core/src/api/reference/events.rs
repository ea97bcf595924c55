//! The Events, from the list that the operator publishes from. How often each comes is matched exhaustively: a new one needs a word.

use std::fmt::Write as _;

use crate::replay::events::EventReason;

/// The section.
pub(super) fn section() -> String {
    let mut text = "## Events\n\nThey follow changes of the status, never looks at Konnect, and nothing depends on them. The note repeats the \
                    message of the condition, with Konnect's trace id where Konnect has refused something. Kubernetes keeps them for an hour or \
                    so. A reason is a stable word here too.\n\n| reason | type | when | how often |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for reason in EventReason::ALL {
        let (word, kind) = (reason.as_str(), reason.kind().as_str());
        let _ = writeln!(text, "| `{word}` | {kind} | {} | {} |", reason.meaning(), how_often(*reason));
    }
    text.push('\n');
    text
}

const ONCE: &str = "Once: it is the end.";
const EACH_REQUEST: &str = "Once for each request that Konnect takes.";
const EACH_RUN: &str = "Once for each run that another try may follow.";
const EACH_TIME: &str = "Each time it becomes so.";

fn how_often(reason: EventReason) -> &'static str {
    match reason {
        EventReason::Completed
        | EventReason::AlreadyReplayed
        | EventReason::WindowExpired
        | EventReason::BackoffLimitExceeded
        | EventReason::DeadlineExceeded
        | EventReason::StartingDeadlineExceeded => ONCE,
        EventReason::Submitted => EACH_REQUEST,
        EventReason::Adopted => "Once for each run that is found.",
        EventReason::RemoteFailed => EACH_RUN,
        EventReason::Superseded | EventReason::RemoteStateUnknown => "Once for each run, the last one included.",
        EventReason::NotTaken => "Once for each such request.",
        EventReason::Conflict => "At most once in 10 minutes for one object.",
        EventReason::WindowExpiringSoon => {
            "Once at 24 h and once at 6 h; an operator that starts later repeats the nearer one, if Kubernetes no longer keeps it."
        }
        EventReason::Queued
        | EventReason::Running
        | EventReason::WebhookDisabled
        | EventReason::WebhookInactive
        | EventReason::Unauthorized
        | EventReason::Forbidden
        | EventReason::SecretNotFound
        | EventReason::SecretKeyMissing
        | EventReason::InvalidToken
        | EventReason::PortalNotFound
        | EventReason::RegionNotAllowed
        | EventReason::InvalidWindow => EACH_TIME,
        EventReason::InvalidRequest => {
            "Each time it becomes so; once where Konnect refused the request (400), which is the end."
        }
    }
}
