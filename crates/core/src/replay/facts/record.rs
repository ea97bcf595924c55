//! Konnect's job, as it is kept in a status.

use crate::api::KonnectJob;
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::facts::clock::Clock;

/// Konnect's job, to be kept in the status.
pub(crate) fn konnect_job(job: &RemoteJob, clock: Clock) -> KonnectJob {
    KonnectJob {
        status: job.status.clone(),
        start_at: job.start_at,
        end_at: job.end_at,
        updated_at: job.updated_at,
        observed_time: clock.stamp(),
    }
}

/// The same, back.
pub(crate) fn remote_job(kept: &KonnectJob) -> RemoteJob {
    RemoteJob { status: kept.status.clone(), start_at: kept.start_at, end_at: kept.end_at, updated_at: kept.updated_at }
}

/// Whether an answer says neither which window there is nor that there is none.
pub(crate) fn shows_no_window(job: &RemoteJob) -> bool {
    (job.start_at.is_none() || job.end_at.is_none()) && job.status != RemoteStatus::Unconfigured
}
