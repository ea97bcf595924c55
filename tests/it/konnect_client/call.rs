//! Calls as the operator makes them, with a token that must turn up nowhere.

use std::fmt::{Debug, Display};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::api::{ApiVersion, TimeRange};
use konnect_replay_core::konnect::{
    CallError, Endpoint, RawAnswer, Reading, RemoteJob, RemoteTarget, Request, Token, read_replay_job,
};

/// The token's value. Every value and error that a call here ends with is searched for it.
pub(crate) const CANARY: &str = "kpat_canary7Qx2nV9sLw4TzB1mRf6Y";
pub(crate) const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";

/// What Konnect answers to a PUT.
pub(crate) const ACCEPTED: &str = r#"{"start_at":"2026-11-20T08:00:00Z","end_at":"2026-11-20T11:30:00Z","status":"accepted","updated_at":"2026-11-21T12:00:00Z"}"#;

/// `--request-timeout` where none is under test. Far above what a call on loopback takes, on a busy machine too.
pub(crate) const AMPLE: Duration = Duration::from_mins(2);
/// Bound of a call that must not wait for its timeout.
pub(crate) const QUICK: Duration = Duration::from_mins(1);

pub(crate) fn token() -> Token {
    Token::parse(CANARY.as_bytes(), &["kpat_".to_owned()]).unwrap()
}

/// One for all tests, as the operator has one for all regions: making one reads the system's authorities.
pub(crate) fn client() -> HttpClient {
    static CLIENT: LazyLock<HttpClient> = LazyLock::new(|| HttpClient::new(AMPLE, None).unwrap());
    CLIENT.clone()
}

pub(crate) fn portal(base_url: String) -> RemoteTarget {
    let portal_id = Some(PORTAL.to_owned());
    RemoteTarget { base_url, region: "eu".into(), portal_id, version: ApiVersion::V2 }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The operator's clock when it reads an answer.
pub(crate) fn now() -> DateTime<Utc> {
    at("2026-11-21T12:00:00Z")
}

pub(crate) fn window() -> TimeRange {
    TimeRange { start_at: at("2026-11-20T08:00:00Z"), end_at: at("2026-11-20T11:30:00Z") }
}

/// An answer with a JSON body, its length and no more.
pub(crate) fn json(status: u16, body: &str) -> String {
    answer(status, "content-type: application/json\r\n", body)
}

/// An answer with these header lines, a body and its length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// Sends `request`; whatever it ends with does not show the token.
pub(crate) async fn send(client: &HttpClient, request: &Request) -> Result<RawAnswer, CallError> {
    let result = client.send(request, &token()).await;
    if let Ok(answer) = &result {
        assert_no_token(&String::from_utf8_lossy(&answer.body));
    }
    assert_discreet(&result);
    result
}

/// Asks for a replay, and reads the answer.
pub(crate) async fn put(client: &HttpClient, base_url: &str) -> Result<Reading<RemoteJob>, CallError> {
    job(client, &Request::put_replay_job(&portal(base_url.to_owned()), window())).await
}

/// Reads the replay job.
pub(crate) async fn get(client: &HttpClient, base_url: &str) -> Result<Reading<RemoteJob>, CallError> {
    job(client, &Request::get(&portal(base_url.to_owned()), Endpoint::ReplayJob)).await
}

async fn job(client: &HttpClient, request: &Request) -> Result<Reading<RemoteJob>, CallError> {
    let result = send(client, request).await.and_then(|answer| read_replay_job(&answer, now()));
    assert_discreet(&result);
    result
}

/// Runs a call that must end within `limit`.
pub(crate) async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let outcome = tokio::time::timeout(limit, call).await;
    outcome.unwrap_or_else(|_| panic!("not over after {:?}", begin.elapsed()))
}

/// Neither form of printing shows the token, and messages are printable.
pub(crate) fn assert_discreet<T: Debug, E: Debug + Display>(result: &Result<T, E>) {
    assert_no_token(&format!("{result:?} {result:#?}"));
    if let Err(error) = result {
        let text = error.to_string();
        assert_no_token(&text);
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

pub(crate) fn assert_no_token(text: &str) {
    let secret = CANARY.split_once('_').unwrap().1;
    assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "the token is shown: {text}");
}
