//! Windows: from the text of the spec to whole seconds, and the limits that Konnect's retention sets.

use std::time::Duration;

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Utc};

use crate::api::{TimeRange, WindowSpec};
use crate::konnect::{RemoteJob, time};
use crate::replay::facts::policy::{MAX_LEAD, MAX_WINDOW, Policy};

/// Reads the window of a spec: whole seconds, the start rounded down and the end up, so that nothing asked for is left out.
/// The error is a sentence for the user.
pub(crate) fn parse(spec: &WindowSpec) -> Result<TimeRange, String> {
    let start = instant("startAt", &spec.start_at)?;
    let end = instant("endAt", &spec.end_at)?;
    check(TimeRange { start_at: start, end_at: end })?;
    let floor = start.trunc_subsecs(0);
    let ceil = if end == end.trunc_subsecs(0) { end } else { end.trunc_subsecs(0) + TimeDelta::seconds(1) };
    Ok(TimeRange { start_at: floor, end_at: ceil })
}

fn instant(field: &str, text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| format!("window.{field} is not an RFC 3339 time with a zone, such as 2026-11-20T08:00:00Z"))?;
    if !(2020..2100).contains(&time.year()) {
        return Err(format!("window.{field} does not lie between the years 2020 and 2099"));
    }
    Ok(time.with_timezone(&Utc))
}

fn check(window: TimeRange) -> Result<(), String> {
    if window.end_at < window.start_at {
        return Err("window.endAt is before window.startAt".to_owned());
    }
    if window.end_at - window.start_at > delta(MAX_WINDOW) {
        return Err("the window is longer than the 7 days that Konnect keeps".to_owned());
    }
    Ok(())
}

/// When Konnect begins to delete the events of the window.
pub(crate) fn expires_at(window: TimeRange, policy: &Policy) -> DateTime<Utc> {
    window.start_at + delta(policy.retention)
}

/// When the last events of the window have arrived at Konnect.
pub(crate) fn ready_at(window: TimeRange, policy: &Policy) -> DateTime<Utc> {
    window.end_at + delta(policy.ingest_delay)
}

/// Whether the end lies so far ahead that it cannot be meant.
pub(crate) fn is_too_far_ahead(window: TimeRange, now: DateTime<Utc>) -> bool {
    window.end_at > now + delta(MAX_LEAD)
}

/// Whether an end of the window lies within `margin` of a limit of Konnect's, so that a 400 may be due to clocks that differ.
pub(crate) fn is_near_a_limit(window: TimeRange, now: DateTime<Utc>, margin: Duration, policy: &Policy) -> bool {
    let near = |a: DateTime<Utc>, b: DateTime<Utc>| (a - b).abs() <= delta(margin);
    near(window.start_at, now - delta(policy.retention)) || near(window.end_at, now)
}

/// Whether `job` is a run of exactly this window. The window is the only key that Konnect gives.
pub(crate) fn is_window_of(window: TimeRange, job: &RemoteJob) -> bool {
    job.start_at == Some(window.start_at) && job.end_at == Some(window.end_at)
}

/// Whether Konnect can have shown `window` as that of `job`: each end as it is, or cut or filled up to a minute, an hour or a day.
pub(crate) fn may_be_shown_as(window: TimeRange, job: &RemoteJob) -> bool {
    of_remote(job).is_some_and(|shown| {
        is_rounding_of(window.start_at, shown.start_at) && is_rounding_of(window.end_at, shown.end_at)
    })
}

fn is_rounding_of(time: DateTime<Utc>, shown: DateTime<Utc>) -> bool {
    let rounded = |unit: i64| {
        let over = TimeDelta::seconds(time.timestamp().rem_euclid(unit));
        shown == time - over || (!over.is_zero() && shown == time - over + TimeDelta::seconds(unit))
    };
    time == shown || [60, 3600, 86_400].into_iter().any(rounded)
}

/// How far `a` and `b` are apart; zero if they have an instant in common.
pub(crate) fn gap(a: TimeRange, b: TimeRange) -> TimeDelta {
    (a.start_at - b.end_at).max(b.start_at - a.end_at).max(TimeDelta::zero())
}

/// Whether every instant of `inner` lies in `outer`.
pub(crate) fn contains(outer: TimeRange, inner: TimeRange) -> bool {
    outer.start_at <= inner.start_at && outer.end_at >= inner.end_at
}

/// The window to send, given the windows that it must not be mistaken for: that of the job at Konnect now, and those of our own
/// runs that are over. A later reading could not tell them apart, so some seconds are added at the end, or before the start where
/// the end is too fresh for that and the start has not been moved already. Receivers de-duplicate; we gain certainty.
pub(crate) fn distinct_from(
    window: TimeRange,
    taken: &[TimeRange],
    clamped: bool,
    now: DateTime<Utc>,
    policy: &Policy,
) -> TimeRange {
    let widened = (0..60).map(|seconds| widened(window, TimeDelta::seconds(seconds), clamped, now, policy));
    widened.into_iter().find(|candidate| !taken.contains(candidate)).unwrap_or(window)
}

fn widened(window: TimeRange, by: TimeDelta, clamped: bool, now: DateTime<Utc>, policy: &Policy) -> TimeRange {
    let later = TimeRange { end_at: window.end_at + by, ..window };
    let earlier = TimeRange { start_at: window.start_at - by, ..window };
    let too_fresh = ready_at(later, policy) > now && expires_at(earlier, policy) > now;
    if too_fresh && !clamped { earlier } else { later }
}

/// The window that a job at Konnect shows.
pub(crate) fn of_remote(job: &RemoteJob) -> Option<TimeRange> {
    Some(TimeRange { start_at: job.start_at?, end_at: job.end_at? })
}

/// A `Duration` as chrono counts it; settings are far below its limit.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// A window in words.
pub(crate) fn span(window: TimeRange) -> String {
    format!("{} to {}", time::format(window.start_at), time::format(window.end_at))
}
