//! The two deadlines of a job. The one for starting counts until a replay is first under way, the other from then on; both stand
//! still while the object is Suspended. Whoever asks has read Konnect's job first, where a request may have been taken.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::{Reason, TimeRange};
use crate::replay::decide::wait;
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::LIMIT_MARGIN;
use crate::replay::facts::window::delta;
use crate::replay::facts::{konnects_clock, said};
use crate::replay::step::Step;

/// Since when the deadline counts that counts now.
pub(crate) fn begun(o: &Observed, window: TimeRange) -> DateTime<Utc> {
    let created = o.job.metadata.creation_timestamp.as_ref().map(crate::api::from_kube_time);
    let startable = created.map_or(window.end_at, |created| created.max(window.end_at));
    o.status().start_time.unwrap_or(startable)
}

/// For how long it has stood still: what is recorded, and since the object says Suspended.
pub(crate) fn paused(o: &Observed, window: TimeRange) -> TimeDelta {
    let status = o.status();
    let since = said::suspended_since(&status).map(|since| since.max(begun(o, window)));
    let going_on = since.map_or(TimeDelta::zero(), |since| (o.clock.wall - since).max(TimeDelta::zero()));
    TimeDelta::seconds(status.suspended_seconds.into()) + going_on
}

fn due(o: &Observed, job: &ValidatedJob) -> Option<DateTime<Utc>> {
    let started = o.status().start_time.is_some();
    let seconds = if started { job.active_deadline_seconds } else { job.starting_deadline_seconds }?;
    Some(begun(o, job.window) + TimeDelta::seconds(seconds.into()) + paused(o, job.window))
}

/// The same, if it can be believed at once.
pub(crate) fn passed_for_sure(o: &Observed, job: &ValidatedJob) -> Option<(Reason, String)> {
    passed(o, job).filter(|_| konnects_clock::is_believed(o, true))
}

/// Why the job is given up, if its deadline has passed: by the clock of this machine, and by Konnect's where this pass has heard it.
pub(crate) fn passed(o: &Observed, job: &ValidatedJob) -> Option<(Reason, String)> {
    let konnects = konnects_clock::konnects_now(o).map(|now| now + delta(LIMIT_MARGIN));
    due(o, job).filter(|due| *due <= o.clock.wall && konnects.is_none_or(|now| *due <= now))?;
    if o.status().start_time.is_none() {
        let message = "Konnect accepted no replay within spec.startingDeadlineSeconds, so it is given up, and nothing of it is under \
                       way. To have the window replayed after all, create another AuditLogReplayJob.";
        return Some((Reason::StartingDeadlineExceeded, message.to_owned()));
    }
    let message = "The replay did not complete within spec.activeDeadlineSeconds, so it is given up. A run that is under way goes on: \
                   Konnect cannot stop it. See at the receiver what arrives, then create another AuditLogReplayJob for what is missing.";
    Some((Reason::DeadlineExceeded, message.to_owned()))
}

/// A wait ends at the deadline at the latest. One that has passed without a verdict waits for something that a verdict needs.
pub(crate) fn capped(o: &Observed, job: &ValidatedJob, step: Step) -> Step {
    let left = due(o, job).and_then(|due| (due - o.clock.wall).to_std().ok()).filter(|left| !left.is_zero());
    match (step, left) {
        (Step::Wait { wait, cause }, Some(left)) => Step::Wait { wait: wait.min(left.max(wait::SHORTEST)), cause },
        (step, _) => step,
    }
}

/// Seconds of a pause that has just ended.
pub(crate) fn pause_ended(o: &Observed) -> Option<u32> {
    u32::try_from(paused(o, o.spec.window?).num_seconds().max(0)).ok()
}
