//! From the bytes of an answer to a value or a typed error. Pure: every form an answer can take is tested here.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{ApiError, CallError};
use super::limits::clean;
use super::model::{RemoteJob, Webhook, WebhookStatus};

/// Longest wait that is taken from a `Retry-After`: a receiver of this header is free to come back earlier than asked by a
/// broken gateway (seen: dates a year ahead).
pub const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);

/// Most `invalid_parameters` that are shown.
const MAX_INVALID_PARAMETERS: usize = 5;

/// An answer as it came, capped.
#[derive(Clone, Debug, Default)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// The `Date` header.
    pub date: Option<String>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The body, at most [`super::limits::MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// Whether there was more than that.
    pub truncated: bool,
}

/// A value that Konnect answered, and what time it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// The `Date` header of the answer. Retention is judged by Konnect's clock where it is known.
    pub date: Option<DateTime<Utc>>,
}

/// Reads the answer to a GET or PUT of the replay job.
pub fn read_replay_job(answer: &RawAnswer, now: DateTime<Utc>) -> Result<Reading<RemoteJob>, CallError> {
    read(answer, now)
}

/// Reads the answer to a GET of the webhook's configuration.
pub fn read_webhook(answer: &RawAnswer, now: DateTime<Utc>) -> Result<Reading<Webhook>, CallError> {
    read(answer, now)
}

/// Reads the answer to a GET of the webhook's status.
pub fn read_webhook_status(answer: &RawAnswer, now: DateTime<Utc>) -> Result<Reading<WebhookStatus>, CallError> {
    read(answer, now)
}

fn read<T: DeserializeOwned>(answer: &RawAnswer, now: DateTime<Utc>) -> Result<Reading<T>, CallError> {
    if !(200..300).contains(&answer.status) {
        return Err(CallError::Api(refusal(answer, now)));
    }
    let unreadable = |why: &str| CallError::Unreadable { status: answer.status, why: why.to_owned() };
    if answer.truncated {
        return Err(unreadable("the answer is larger than 64 KiB"));
    }
    // serde would take an array for a struct; Konnect answers objects.
    let value: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&answer.body).map_err(|_| unreadable("the body is not a JSON object"))?;
    let value = T::deserialize(serde_json::Value::Object(value)).map_err(|e| unreadable(&clean(&e.to_string())))?;
    Ok(Reading { value, date: answer.date.as_deref().and_then(http_date) })
}

/// Problem details (RFC 9457) and the gateway's own form in one; every property optional, because public clients have
/// broken on a missing one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: Option<serde_json::Value>,
    title: Option<serde_json::Value>,
    message: Option<serde_json::Value>,
    instance: Option<serde_json::Value>,
    invalid_parameters: Option<serde_json::Value>,
}

fn refusal(answer: &RawAnswer, now: DateTime<Utc>) -> ApiError {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |v: &Option<serde_json::Value>| v.as_ref().and_then(|v| v.as_str()).map(clean).filter(|s| !s.is_empty());
    let now = answer.date.as_deref().and_then(http_date).unwrap_or(now);
    ApiError {
        status: answer.status,
        message: text(&problem.detail).or_else(|| text(&problem.title)).or_else(|| text(&problem.message)),
        invalid_parameters: invalid_parameters(problem.invalid_parameters.as_ref()),
        trace_id: text(&problem.instance),
        retry_after: answer.retry_after.as_deref().and_then(|v| retry_after(v, now)),
    }
}

fn invalid_parameters(value: Option<&serde_json::Value>) -> Vec<String> {
    let items = value.and_then(|v| v.as_array()).map(Vec::as_slice).unwrap_or_default();
    let text =
        |item: &serde_json::Value, key: &str| item.get(key).and_then(|v| v.as_str()).map(clean).unwrap_or_default();
    items
        .iter()
        .take(MAX_INVALID_PARAMETERS)
        .map(|item| {
            [text(item, "field"), text(item, "reason")].iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>()
        })
        .map(|parts| parts.join(": "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// `Retry-After` in seconds or as an HTTP-date (RFC 9110, 10.2.3), capped. A date that has passed means now; an unreadable
/// value means that none was given.
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        let wait = value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs);
        return Some(wait.min(MAX_RETRY_AFTER));
    }
    let wait = (http_date(value)? - now).to_std().unwrap_or(Duration::ZERO);
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Any of the three forms of RFC 9110, 5.6.7.
fn http_date(value: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(value).ok().map(DateTime::<Utc>::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::konnect::model::RemoteStatus;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn answer(status: u16, body: &str) -> RawAnswer {
        RawAnswer { status, body: body.as_bytes().to_vec(), ..RawAnswer::default() }
    }

    fn api_error(answer: &RawAnswer) -> ApiError {
        match read_replay_job(answer, now()).unwrap_err() {
            CallError::Api(error) => error,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn any_2xx_with_a_job_is_taken_with_its_date() {
        for status in [200, 201, 202] {
            let mut answer = answer(status, r#"{"status":"accepted"}"#);
            answer.date = Some("Sat, 21 Nov 2026 11:59:59 GMT".into());
            let reading = read_replay_job(&answer, now()).unwrap();
            assert_eq!(reading.value.status, RemoteStatus::Accepted);
            assert_eq!(reading.date, Some("2026-11-21T11:59:59Z".parse().unwrap()));
        }
    }

    #[test]
    fn a_success_that_is_no_object_is_unreadable() {
        for body in ["", "<html>login</html>", "null", "[]", "[\"accepted\"]", "\"ok\"", "{\"status\":\"acc"] {
            let error = read_replay_job(&answer(200, body), now()).unwrap_err();
            assert!(matches!(error, CallError::Unreadable { status: 200, .. }), "{body:?}: {error:?}");
        }
    }

    #[test]
    fn a_cut_body_is_unreadable_even_if_it_parses() {
        let answer = RawAnswer { truncated: true, ..answer(200, "{}") };
        assert!(matches!(read_replay_job(&answer, now()), Err(CallError::Unreadable { .. })));
    }

    #[test]
    fn problem_details_are_read_and_the_trace_id_kept_apart() {
        let error = api_error(&answer(
            400,
            r#"{"status":400,"title":"Bad Request","instance":"kong:trace:42","detail":"Invalid\nParameters",
               "invalid_parameters":[{"field":"start_at","reason":"must be within 7 days","rule":"x"},{"odd":1},7]}"#,
        ));
        assert_eq!(error.explanation(), ": Invalid Parameters; start_at: must be within 7 days");
        assert_eq!(error.trace_id.as_deref(), Some("kong:trace:42"));
        assert!(!error.to_string().contains("kong:trace"));
    }

    #[test]
    fn a_missing_detail_and_the_gateways_form_are_read() {
        assert_eq!(api_error(&answer(403, r#"{"title":"Forbidden"}"#)).explanation(), ": Forbidden");
        assert_eq!(api_error(&answer(403, r#"{"message":"Quota Exceeded"}"#)).explanation(), ": Quota Exceeded");
        assert_eq!(api_error(&answer(502, "<html>")).explanation(), "");
        assert_eq!(api_error(&answer(401, r#"{"detail":{"a":1}}"#)).explanation(), "");
    }

    #[test]
    fn retry_after_is_read_in_each_form() {
        for (value, seconds) in [
            ("77", Some(77)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(900)),
            ("86400", Some(900)),
            ("Sat, 21 Nov 2026 12:00:30 GMT", Some(30)),
            ("Saturday, 21-Nov-26 12:00:30 GMT", Some(30)),
            ("Sat Nov 21 12:00:30 2026", Some(30)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("Sun, 21 Nov 2027 12:00:00 GMT", Some(900)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            let answer = RawAnswer { retry_after: Some(value.into()), ..answer(429, "{}") };
            assert_eq!(api_error(&answer).retry_after, seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn a_retry_date_counts_from_konnects_own_clock() {
        let answer = RawAnswer {
            retry_after: Some("Sat, 21 Nov 2026 12:10:30 GMT".into()),
            date: Some("Sat, 21 Nov 2026 12:10:00 GMT".into()),
            ..answer(429, "")
        };
        assert_eq!(api_error(&answer).retry_after, Some(Duration::from_secs(30)));
    }
}
