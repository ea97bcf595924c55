//! Whether this very window was replayed before, so that sending it would only double it.

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use super::job::ValidatedJob;
use super::observed::Observed;
use super::scheduler::TargetKey;
use super::situation::{Decision, Situation};
use super::step::Step;
use super::{report, retention, window};
use crate::api::{AuditLogReplayJob, DuplicatePolicy, TimeRange};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::Policy;

/// By how much two windows may differ at either end and count as one: a repeat is sent with up to so many seconds more.
pub const SAME_WINDOW: TimeDelta = TimeDelta::seconds(59);

/// Another object of the same namespace, which is Complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    name: String,
    target: TargetKey,
    window: TimeRange,
}

impl Sibling {
    /// What is to be known of `job`; `None` unless it is Complete.
    pub fn of(job: &AuditLogReplayJob, policy: &Policy) -> Option<Self> {
        let window = replayed(job)?;
        let validated = ValidatedJob::new(job, policy).ok()?;
        Some(Self { name: job.name_any(), target: validated.target_key(), window })
    }
}

/// The window that a Complete object stands for: as it was sent, or as it was asked for if nothing was.
fn replayed(job: &AuditLogReplayJob) -> Option<TimeRange> {
    let status = job.status.as_ref().filter(|status| report::is_complete(status))?;
    let sent = status.window.as_ref().map(|w| TimeRange { start_at: w.start_at, end_at: w.end_at });
    sent.or_else(|| window::parse(&job.spec.window).ok())
}

/// The end of the window that a Complete object stands for; `None` of any other. One that ends more than [`SAME_WINDOW`] away from
/// the end that a job asks for is no duplicate of it: retention and repeats move other things.
pub fn replayed_end(job: &AuditLogReplayJob) -> Option<DateTime<Utc>> {
    replayed(job).map(|window| window.end_at)
}

/// The siblings are looked at before the first request, and not once Konnect has taken one.
pub(super) fn siblings(o: &Observed, job: &ValidatedJob) -> Option<Decision> {
    let wanted = looks_for_siblings(o, job) && o.learned.siblings.is_none();
    wanted.then_some(Decision::Do(Step::ReadSiblings))
}

fn looks_for_siblings(o: &Observed, job: &ValidatedJob) -> bool {
    let status = o.status();
    job.duplicate_policy == DuplicatePolicy::Skip && status.attempts == 0 && status.retries.is_none()
}

/// Ends the job without sending if its window was replayed before and the webhook's last answer was a success. Where nobody can
/// say what that answer was it is sent: receivers de-duplicate, and nothing brings back what Konnect deletes.
pub(super) fn skip(o: &Observed, job: &ValidatedJob, remote: &RemoteJob) -> Option<Decision> {
    if job.duplicate_policy == DuplicatePolicy::Replay {
        return None;
    }
    let window = retention::planned(o, job.window);
    let by = sibling(o, job, window).map(|sibling| Some(sibling.name.clone()));
    let by = by.or_else(|| is_replayed(remote, window).then_some(None))?;
    let Some(seen) = &o.learned.webhook else { return Some(Decision::Do(Step::ReadWebhook { brief: true })) };
    let code = seen.what.status.as_ref()?.last_response_code?;
    (200..300).contains(&code).then_some(Decision::Be(Situation::AlreadyReplayed { by, code }, Step::AwaitChange))
}

fn sibling<'a>(o: &'a Observed, job: &ValidatedJob, window: TimeRange) -> Option<&'a Sibling> {
    let same = |s: &&Sibling| s.target == job.target_key() && is_same(s.window, window);
    let siblings = o.learned.siblings.as_ref().filter(|_| looks_for_siblings(o, job))?;
    siblings.iter().filter(same).min_by(|a, b| a.name.cmp(&b.name))
}

fn is_replayed(remote: &RemoteJob, window: TimeRange) -> bool {
    let shown = remote.start_at.zip(remote.end_at).map(|(start_at, end_at)| TimeRange { start_at, end_at });
    remote.status == RemoteStatus::Completed && shown.is_some_and(|shown| is_same(shown, window))
}

fn is_same(a: TimeRange, b: TimeRange) -> bool {
    (a.start_at - b.start_at).abs() <= SAME_WINDOW && (a.end_at - b.end_at).abs() <= SAME_WINDOW
}
