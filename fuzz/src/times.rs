//! Any text as a time of Konnect's: what is read can be written, and is read again as the same second.

use konnect_replay_core::konnect::time::{format, parse_lenient};

/// Reads `data` as a time.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(time) = parse_lenient(text) else { return };
    let written = format(time);
    // Years of five digits are none that RFC 3339 can write: an offset can lead there from the last hours of 9999.
    if written.len() == "2026-11-20T08:00:00Z".len() {
        let again = parse_lenient(&written).map(|time| time.timestamp());
        assert_eq!(again, Some(time.timestamp()), "{text:?} was written as {written}");
    }
}
