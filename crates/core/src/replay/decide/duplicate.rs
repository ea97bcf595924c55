//! Whether a window was replayed before, so that sending it would only double it. One rule: skipped only if a record shows every second
//! of the window delivered to the destination of today. Where no object has a record, Konnect's last job of the target counts for as much
//! as it tells.

use std::time::Duration;

use crate::api::{DuplicatePolicy, TimeRange};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::facts::delivery;
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::{Observed, WebhookReading};
use crate::replay::facts::sibling::Sibling;
use crate::replay::facts::window::delta;
use crate::replay::facts::{retention, window};
use crate::replay::step::Step;

/// How long before Konnect says that a run has completed its last delivery may have been.
const LAST_DELIVERY: Duration = Duration::from_mins(10);

/// The siblings are looked at before the first request, and not once Konnect has taken one.
pub(crate) fn siblings(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let wanted = looks_for_siblings(o, job) && o.learned.siblings.is_none();
    wanted.then_some(Decision::Do(Step::ReadSiblings))
}

fn looks_for_siblings(o: &Observed, job: &ValidatedJob) -> bool {
    let status = o.status();
    job.duplicate_policy == DuplicatePolicy::Skip
        && status.attempts == 0
        && status.retries.as_ref().is_none_or(|retries| !retries.tell_of_a_run())
}

/// Ends the job without sending if a record shows its window delivered. Where no record does, it is sent: receivers de-duplicate, and
/// nothing brings back what Konnect deletes.
pub(crate) fn skip(o: &Observed, job: &ValidatedJob, remote: &RemoteJob) -> Option<Decision> {
    if job.duplicate_policy == DuplicatePolicy::Replay {
        return None;
    }
    let window = retention::planned(o, job.window);
    let siblings = siblings_of(o, job, window);
    if siblings.is_empty() && !is_replayed(remote, window) {
        return None;
    }
    let Some(seen) = &o.learned.webhook else { return Some(Decision::Do(Step::ReadWebhook { brief: true })) };
    let by_sibling = by_sibling(&siblings, &seen.what);
    // What a record says of the very run that Konnect shows is better than what the webhook answers today.
    // That holds under another Secret of the organisation too.
    let on_record = |s: &Sibling| s.recorded.run == *remote;
    let is_on_record = o.learned.siblings.iter().flatten().any(on_record);
    let by_konnect = || Some((None, by_konnect(remote, window, &seen.what).filter(|_| !is_on_record)?));
    let (by, code) = by_sibling.or_else(by_konnect)?;
    Some(Decision::Be(Situation::AlreadyReplayed { by, code }, Step::AwaitChange))
}

/// The siblings that have replayed all of `window` to the target of `job`.
fn siblings_of<'a>(o: &'a Observed, job: &ValidatedJob, window: TimeRange) -> Vec<&'a Sibling> {
    let covers = |s: &&Sibling| s.target == job.target_key() && window::contains(s.recorded.window, window);
    let siblings = o.learned.siblings.as_ref().filter(|_| looks_for_siblings(o, job));
    siblings.into_iter().flatten().filter(covers).collect()
}

/// The first of them by name that delivered to the destination of today, with the answer that its record shows.
fn by_sibling(siblings: &[&Sibling], today: &WebhookReading) -> Option<(Option<String>, i32)> {
    let destination = today.config.as_ref().ok()?.destination();
    let same = siblings.iter().filter(|s| s.recorded.destination == destination);
    let delivered = same.filter_map(|s| Some((&s.name, s.recorded.delivered?)));
    delivered.min().map(|(name, code)| (Some(name.clone()), code))
}

/// The webhook's last answer, if it is a success and not older than the deliveries of Konnect's last job, which covered `window`. There
/// is no record of where that job delivered to, or of what the receiver answered then.
fn by_konnect(remote: &RemoteJob, window: TimeRange, today: &WebhookReading) -> Option<i32> {
    let status = today.status.as_ref().filter(|_| is_replayed(remote, window))?;
    let code = status.last_response_code.filter(|code| delivery::is_success(*code))?;
    let ended = remote.updated_at?;
    status.last_attempt_at.is_some_and(|last| last + delta(LAST_DELIVERY) >= ended).then_some(code)
}

fn is_replayed(remote: &RemoteJob, window: TimeRange) -> bool {
    let covers = window::of_remote(remote).is_some_and(|shown| window::contains(shown, window));
    remote.status == RemoteStatus::Completed && covers
}
