//! How long a finished object stays, where `spec.ttlSecondsAfterFinished` says so. It counts from the end of the job, whatever was
//! set when, and is no matter of `spec.suspend`: nothing is under way any more.

use chrono::TimeDelta;

use crate::replay::decide::wait;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::LONGEST_WAIT;
use crate::replay::step::{Step, WaitCause};

/// Delete it, or come back when that is due; within the hour, so that a clock that is set is noticed.
pub(crate) fn next(o: &Observed) -> Step {
    let status = o.status();
    let ended = status.completion_time.or(status.failed_time);
    let Some((ended, seconds)) = ended.zip(o.job.spec.ttl_seconds_after_finished) else { return Step::AwaitChange };
    let left = (ended + TimeDelta::seconds(seconds.into()) - o.clock.wall).to_std().unwrap_or_default();
    if left.is_zero() {
        return Step::Delete;
    }
    Step::Wait { wait: left.min(LONGEST_WAIT).max(wait::SHORTEST), cause: WaitCause::TimeToLive }
}
