//! Windows and durations as people type them, resolved to absolute times at once: what is stored never depends on when it is read.

use std::time::Duration;

use chrono::{DateTime, Utc};

use konnect_replay_core::api::{rules, words};

/// The longest of the presets that Konnect's own page offers. Longer windows are named by their times.
const LONGEST_LAST: Duration = Duration::from_hours(24);
/// The most seconds that the schema takes, of a deadline or a time to live.
const MOST_SECONDS: u32 = 31_536_000;

/// The longest duration that is taken for meant: a time that far away can still be computed.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// How long something is waited for, such as 90m.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let waited = parsed(text)?;
    if waited > LONGEST { Err("that is too long; the most is 365d".to_owned()) } else { Ok(waited) }
}

fn parsed(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write a duration like 15m, 1h30m or 24h"))
}

/// How far a window reaches back from now.
pub(super) fn last(text: &str) -> Result<Duration, String> {
    match parsed(text)? {
        last if last < Duration::from_secs(1) => Err("name at least a second".to_owned()),
        last if last > LONGEST_LAST => {
            Err("that is longer than 24h; name a longer window, of up to 7 days, by --from and --to".to_owned())
        }
        last => Ok(last),
    }
}

/// Whole seconds that the schema takes as a deadline.
pub(super) fn deadline(text: &str) -> Result<u32, String> {
    let seconds = seconds(text)?.filter(|seconds| *seconds >= 1);
    seconds.ok_or_else(|| "a deadline lies between 1s and 365d".to_owned())
}

/// Whole seconds from the end to the deletion. That they are enough to see the end is a rule of the schema, which says why.
pub(super) fn time_to_live(text: &str) -> Result<u32, String> {
    seconds(text)?.ok_or_else(|| "a time to live lies between 1m and 365d".to_owned())
}

/// Whole seconds, unless they are more than the schema takes.
fn seconds(text: &str) -> Result<Option<u32>, String> {
    let seconds = u32::try_from(parsed(text)?.as_secs()).ok();
    Ok(seconds.filter(|seconds| *seconds <= MOST_SECONDS))
}

/// An instant, in the form that the object takes too.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    rules::instant(text).ok_or_else(|| words::TIME.to_owned())
}
