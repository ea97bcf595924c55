//! What the webhook's last answer, as Konnect tells it, says of a run: only an answer from the time of the run, or from after it, says
//! anything. Konnect tells of one answer only, so none older can be asked for.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::window::delta;
use crate::api::{AuditLogReplayJobStatus, TimeRange};
use crate::konnect::RemoteStatus;

/// By how much Konnect's clock, which dates the answer, may be behind the one that dates the run.
const CLOCKS: Duration = Duration::from_mins(2);

/// Whether an answer of that time can be one to a delivery of a run that began at `began`.
pub(super) fn is_since(last_attempt: Option<DateTime<Utc>>, began: DateTime<Utc>) -> bool {
    last_attempt.is_some_and(|last| last + delta(CLOCKS) >= began)
}

/// Whether the receiver took it.
pub(super) fn is_success(code: i32) -> bool {
    (200..300).contains(&code)
}

/// What the record of a completed run shows to have been delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// The window that Konnect replayed, as Konnect showed it at the end.
    pub(super) window: TimeRange,
    /// Konnect's id of the destination; `None` where it names none (organisations in v2).
    pub(super) destination: Option<String>,
    /// The webhook's last answer, a success.
    pub(super) code: i32,
}

/// Reads the record of a job that is Complete; `None` where it shows no delivery: nothing was sent for it, or the webhook's last answer
/// was no success, or is older than the run.
pub(super) fn delivered(status: &AuditLogReplayJobStatus) -> Option<Delivered> {
    let (began, webhook) = (status.start_time?, status.webhook.as_ref()?);
    let code = webhook.last_response_code.filter(|code| is_success(*code))?;
    let shown = status.konnect.as_ref().filter(|job| job.status == RemoteStatus::Completed)?;
    let window = TimeRange { start_at: shown.start_at?, end_at: shown.end_at? };
    let destination = webhook.destination_id.clone();
    is_since(webhook.last_attempt_time, began).then_some(Delivered { window, destination, code })
}
