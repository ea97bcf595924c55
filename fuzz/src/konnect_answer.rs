//! Any answer to any of the three endpoints: a value or a typed error, and no text that a terminal would obey.
//!
//! The input is an HTTP status as three digits and then the body, so that seeds can be written by hand: `200{"status":"running"}`.

use chrono::{DateTime, Utc};
use konnect_replay_core::konnect::limits::{MAX_BODY_BYTES, MAX_TEXT_CHARS};
use konnect_replay_core::konnect::{
    CallError, Certainty, RawAnswer, Reading, RemoteStatus, read_replay_job, read_webhook, read_webhook_status,
};

/// Most that a refusal says: its message and five invalid parameters of two texts each, with what stands between them.
const MAX_EXPLANATION: usize = 11 * (MAX_TEXT_CHARS + 8);

/// Reads `data` as the answer of each endpoint.
pub fn check(data: &[u8]) {
    let Some((status, body)) = data.split_at_checked(3) else { return };
    let Some(status) = std::str::from_utf8(status).ok().and_then(|s| s.parse().ok()) else { return };
    let truncated = body.len() > MAX_BODY_BYTES;
    let body = body.iter().copied().take(MAX_BODY_BYTES).collect();
    let answer = RawAnswer { status, body, truncated, ..RawAnswer::default() };
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let job = read_replay_job(&answer, now);
    if let Ok(reading) = &job {
        words(&reading.value.status);
    }
    outcome(&answer, &job);
    outcome(&answer, &read_webhook(&answer, now));
    outcome(&answer, &read_webhook_status(&answer, now));
}

/// Only a job that says so is free, and an unknown word never is.
fn words(status: &RemoteStatus) {
    let free = matches!(status, RemoteStatus::Unconfigured | RemoteStatus::Completed | RemoteStatus::Failed);
    assert_eq!(free, !status.is_busy(), "{status:?}");
}

fn outcome<T>(answer: &RawAnswer, result: &Result<Reading<T>, CallError>) {
    let success = (200..300).contains(&answer.status);
    match result {
        Ok(_) => assert!(success && !answer.truncated && answer.body.trim_ascii_start().starts_with(b"{")),
        Err(error @ CallError::Api(refusal)) => {
            assert!(!success && refusal.status == answer.status);
            one_line(&error.to_string());
            one_line(refusal.trace_id.as_deref().unwrap_or_default());
            assert!(refusal.explanation().chars().count() <= MAX_EXPLANATION);
        }
        Err(error @ CallError::Unreadable { .. }) => {
            assert!(success, "a refusal is read as one");
            assert_eq!(error.certainty(), Certainty::Unknown, "a PUT that was answered so may have been taken");
            one_line(&error.to_string());
        }
        Err(error) => panic!("there was an answer: {error}"),
    }
}

fn one_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
