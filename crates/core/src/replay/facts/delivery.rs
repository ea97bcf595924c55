//! What the webhook's last answer, as Konnect tells it, says of a run: only an answer from the time of the run, or from after it, says
//! anything. Konnect tells of one answer only, so none older can be asked for.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::{AuditLogReplayJobStatus, TimeRange};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::facts::record::remote_job;
use crate::replay::facts::window::{self, delta};

/// By how much Konnect's clock, which dates the answer, may be behind the clock that dates the run.
const CLOCKS: Duration = Duration::from_mins(2);

/// Whether an answer of that time can be one to a delivery of a run that began at `began`.
pub(crate) fn is_since(last_attempt: Option<DateTime<Utc>>, began: DateTime<Utc>) -> bool {
    last_attempt.is_some_and(|last| last + delta(CLOCKS) >= began)
}

/// Whether the receiver took it.
pub(crate) fn is_success(code: i32) -> bool {
    (200..300).contains(&code)
}

/// What the record of a completed run says of its deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The run, as Konnect showed it at the end.
    pub(crate) run: RemoteJob,
    /// The window that Konnect replayed.
    pub(crate) window: TimeRange,
    /// Which destination it was; `None` where the webhook named none.
    pub(crate) destination: Option<String>,
    /// The webhook's last answer, if that shows a delivery: a success that is not older than the run.
    pub(crate) delivered: Option<i32>,
}

/// Reads the record of a job that is Complete; `None` where nothing was sent for it.
pub(crate) fn recorded(status: &AuditLogReplayJobStatus) -> Option<Recorded> {
    // A run of another party, for which the object was skipped after runs of its own, is not its run.
    let submission = status.submission.as_deref();
    if submission.is_some_and(|submission| submission.state.is_over()) {
        return None;
    }
    // An answer to an earlier run of the object says nothing of the one that completed.
    let began = submission.and_then(|s| s.accepted_time).or(status.start_time)?;
    let run = status.konnect.as_ref().filter(|job| job.status == RemoteStatus::Completed).map(remote_job)?;
    let window = window::of_remote(&run)?;
    let webhook = status.webhook.as_ref();
    // Where the destination changed meanwhile, nobody knows which events went where.
    let before = submission.and_then(|s| s.webhook.as_ref());
    let moved = before.zip(webhook).is_some_and(|(before, after)| before.destination_id != after.destination_id);
    let answered = webhook.filter(|webhook| !moved && is_since(webhook.last_attempt_time, began));
    let delivered = answered.and_then(|webhook| webhook.last_response_code).filter(|code| is_success(*code));
    Some(Recorded { run, window, destination: webhook.and_then(|webhook| webhook.destination_id.clone()), delivered })
}
