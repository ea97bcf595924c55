//! Any `Retry-After` with any `Date`: never more than the cap, and never what was not said.
//!
//! The input is the value of `Retry-After`, a line break, and the value of `Date`.

use chrono::{DateTime, Utc};
use konnect_replay_core::konnect::answer::MAX_RETRY_AFTER;
use konnect_replay_core::konnect::{CallError, RawAnswer, read_replay_job};

/// Reads `data` as the two headers of a 429.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (value, date) = text.split_once('\n').unwrap_or((text, ""));
    let answer = RawAnswer {
        status: 429,
        retry_after: Some(value.to_owned()),
        date: Some(date.to_owned()),
        ..RawAnswer::default()
    };
    let now = DateTime::<Utc>::from_timestamp(1_795_262_400, 0).unwrap_or_default();
    let Err(CallError::Api(refusal)) = read_replay_job(&answer, now) else { panic!("a 429 is a refusal") };
    assert!(refusal.retry_after.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{:?}", refusal.retry_after);
    if let Ok(seconds) = value.trim().parse::<u32>()
        && !value.trim().starts_with('+')
    {
        let wait = refusal.retry_after.map(|wait| wait.as_secs());
        assert_eq!(wait, Some(u64::from(seconds).min(MAX_RETRY_AFTER.as_secs())), "{value:?}");
    }
}
