//! When Konnect asks to wait.

use std::time::Duration;

use konnect_replay_core::konnect::{ApiError, CallError, Certainty};

use super::call::{answer, client, put};
use super::raw_server::RawServer;

async fn refusal(status: u16, headers: &str) -> ApiError {
    let server = RawServer::answering(answer(status, headers, r#"{"message":"API rate limit exceeded"}"#)).await;
    match put(&client(), &server.url("")).await.unwrap_err() {
        CallError::Api(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_form_of_retry_after_is_honoured_within_a_quarter_of_an_hour() {
    // The operator's clock says 12:00:00; Konnect's, where it says, 12:10:00.
    let date = "date: Sat, 21 Nov 2026 12:10:00 GMT\r\n";
    for (headers, seconds) in [
        ("retry-after: 77\r\nratelimit-limit: 3000\r\n", Some(77)),
        ("Retry-After:0\r\n", Some(0)),
        ("retry-after: 86400\r\n", Some(900)),
        ("retry-after: 99999999999999999999999999\r\n", Some(900)),
        ("retry-after: Sat, 21 Nov 2026 12:00:30 GMT\r\n", Some(30)),
        ("retry-after: Saturday, 21-Nov-26 12:00:30 GMT\r\n", Some(30)),
        ("retry-after: Sat Nov 21 12:00:30 2026\r\n", Some(30)),
        ("retry-after: Sat, 21 Nov 2026 11:00:00 GMT\r\n", Some(0)),
        ("retry-after: Sun, 21 Nov 2027 12:00:00 GMT\r\n", Some(900)),
        (&format!("{date}retry-after: Sat, 21 Nov 2026 12:10:30 GMT\r\n"), Some(30)),
        ("date: yesterday\r\nretry-after: Sat, 21 Nov 2026 12:00:30 GMT\r\n", Some(30)),
        ("retry-after: soon\r\n", None),
        ("retry-after: -5\r\n", None),
        ("retry-after: 1.5\r\n", None),
        ("retry-after:\r\n", None),
        ("retry-after: \u{fc}\r\n", None),
        ("", None),
    ] {
        let error = refusal(429, headers).await;
        assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{headers}");
        assert_eq!(CallError::Api(error).certainty(), Certainty::NotTaken, "{headers}");
    }
}

#[tokio::test]
async fn a_503_may_ask_to_wait_too() {
    let error = refusal(503, "retry-after: 20\r\n").await;
    assert_eq!((error.status, error.retry_after), (503, Some(Duration::from_secs(20))));
}
