//! What is left of a window at Konnect, and what is sent of it.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::api::{ExpiryPolicy, TimeRange};
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::{CLAMP_MARGIN, Policy};
use crate::replay::facts::window::{delta, expires_at};

/// The window as it is to be sent: as asked for, or as an earlier request shortened it, so that a later try sends the same.
pub(crate) fn planned(o: &Observed, asked: TimeRange) -> TimeRange {
    let begins = o.submission().map(|s| s.window.start_at);
    let shortened = begins.filter(|start| *start > asked.start_at && *start <= asked.end_at);
    TimeRange { start_at: shortened.unwrap_or(asked.start_at), ..asked }
}

/// Whether a window begins later than was asked for, which only retention makes it do.
pub(crate) fn is_clamped(window: TimeRange, asked: TimeRange) -> bool {
    window.start_at > asked.start_at
}

/// What can be sent at `now`: the planned window, or what is left of it where the policy allows; `None` if that is nothing.
/// `slack` is by how much the clock that told `now` may differ from Konnect's.
pub(crate) fn sendable(o: &Observed, job: &ValidatedJob, now: DateTime<Utc>, slack: Duration) -> Option<TimeRange> {
    let planned = planned(o, job.window);
    if now < expires_at(planned, o.policy) + delta(slack) {
        return Some(planned);
    }
    let wholly = now >= planned.end_at + delta(o.policy.retention) + delta(slack);
    match job.expiry_policy {
        ExpiryPolicy::Clamp if !wholly => Some(clamped(planned, o.policy, now)),
        ExpiryPolicy::Clamp | ExpiryPolicy::Fail => None,
    }
}

/// The margin shrinks with retention, so that it never eats much of what is left.
fn clamped(window: TimeRange, policy: &Policy, now: DateTime<Utc>) -> TimeRange {
    let margin = CLAMP_MARGIN.min(policy.retention / 100);
    let start = now - delta(policy.retention) + delta(margin);
    let whole = if start == start.trunc_subsecs(0) { start } else { start.trunc_subsecs(0) + TimeDelta::seconds(1) };
    TimeRange { start_at: whole.max(window.start_at).min(window.end_at), ..window }
}
