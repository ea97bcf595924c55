//! Answers as they look on the wire: JSON, `application/problem+json`, and the gateway's own `{"message": …}`.
//!
//! Shapes only. Which answer is due is decided in `world` and `api`.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::fault::Reply;
use crate::limit::TooMany;

/// One answer, not yet sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Time before each byte of the body.
    pause: Option<Duration>,
    /// The trace id goes into the body, as `instance`.
    traced: bool,
    /// It is not what Konnect documents, because a user of the emulator asked for it: a fault, a forced job, a status by hand.
    pub(crate) bent: bool,
    /// Whether the request changed something.
    pub(crate) effect: bool,
}

/// One entry of `invalid_parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InvalidParameter {
    pub(crate) field: Cow<'static, str>,
    pub(crate) reason: String,
    pub(crate) source: &'static str,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// What was broken, in the words of Konnect's specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub(crate) enum Rule {
    Required,
    IsString,
    IsBoolean,
    IsNumber,
    IsUuid,
    IsDateTime,
    /// Konnect, or the emulator, has no such parameter.
    UnknownProperty,
    /// There is no such thing.
    MissingReference,
    /// Anything else.
    Invalid,
    /// One of a few words.
    Enum {
        choices: &'static [&'static str],
    },
    /// At least so many.
    Min {
        minimum: u32,
    },
    /// At most so many.
    Max {
        maximum: u32,
    },
}

impl InvalidParameter {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, rule: Rule, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), source: "body", rule }
    }

    /// The same, of a parameter in the query.
    pub(crate) fn in_query(self) -> Self {
        Self { source: "query", ..self }
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::with_body(status, "application/json", body)
    }

    /// An answer without a body, such as a 204.
    pub(crate) fn empty(status: u16) -> Self {
        Self { body: String::new(), content_type: String::new(), ..Self::json(status, &Value::Null) }
    }

    /// An error of a service behind the gateway. Its `instance` is the trace id of the call.
    pub(crate) fn problem(status: u16, detail: &str) -> Self {
        Self { traced: true, ..Self::with_body(status, PROBLEM, &problem_body(status, detail)) }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::problem(401, "Unauthorized")
    }

    pub(crate) fn forbidden() -> Self {
        Self::problem(403, "You do not have permission to perform this action")
    }

    pub(crate) fn not_found() -> Self {
        Self::problem(404, "Not Found")
    }

    /// Konnect does not say what it answers. HTTP asks for the list of methods.
    pub(crate) fn method_not_allowed(allowed: &[&str]) -> Self {
        let mut answer = Self::problem(405, "Method Not Allowed");
        answer.headers.push(("allow".to_owned(), allowed.join(", ")));
        answer
    }

    pub(crate) fn too_many(broken: &TooMany) -> Self {
        let mut answer = Self::gateway(429, RATE_LIMITED);
        let reset = broken.reset.to_string();
        let mut header = |name: &str, value: &str| answer.headers.push((name.to_owned(), value.to_owned()));
        header("ratelimit-limit", &broken.limit.requests.to_string());
        header("ratelimit-remaining", "0");
        header("ratelimit-reset", &reset);
        if broken.limit.retry_after {
            header("retry-after", &reset);
        }
        answer
    }

    pub(crate) fn invalid(parameters: &[InvalidParameter]) -> Self {
        Self::refused(problem_body(400, detail_of(parameters)), parameters)
    }

    /// The same from the service that lists Dev Portals: its examples have another title and the other prefix.
    pub(crate) fn invalid_for_portals(parameters: &[InvalidParameter]) -> Self {
        let body = problem_body(400, detail_of(parameters));
        let body = with(with(body, "title", "Invalid Request".into()), "instance", "kong:trace:0".into());
        Self::refused(body, parameters)
    }

    fn refused(body: Value, parameters: &[InvalidParameter]) -> Self {
        let body = with(body, "invalid_parameters", json!(parameters));
        Self { traced: true, ..Self::with_body(400, PROBLEM, &body) }
    }

    /// An error of the gateway in front.
    pub(crate) fn gateway(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    /// The answer a fault asks for.
    pub(crate) fn from_reply(reply: &Reply) -> Self {
        let mut answer = match &reply.body {
            None => Self::usual(reply.status),
            Some(body) => Self {
                status: reply.status,
                content_type: reply.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
                body: body.clone(),
                ..Self::json(reply.status, &Value::Null)
            },
        };
        answer.bent = true;
        answer.headers.clone_from(&reply.headers);
        answer
    }

    /// What Konnect sends with a status when nothing more is known.
    fn usual(status: u16) -> Self {
        match status {
            401 => Self::unauthorized(),
            403 => Self::forbidden(),
            404 => Self::not_found(),
            409 => Self::conflict(),
            429 => Self::gateway(429, RATE_LIMITED),
            400..=499 => Self::problem(status, title(status)),
            500..=599 => Self::gateway(status, "An unexpected error occurred"),
            _ => Self::json(status, &json!({})),
        }
    }

    /// A PUT that comes while a replay job runs.
    pub(crate) fn conflict() -> Self {
        Self::problem(409, "A replay job is currently running")
    }

    /// A PUT that comes while no webhook takes events, where that is a 409. Konnect has no example of it.
    pub(crate) fn webhook_is_off() -> Self {
        Self::problem(409, "The audit log webhook is not enabled")
    }

    fn with_body(status: u16, content_type: &str, body: &Value) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.to_string(),
            pause: None,
            traced: false,
            bent: false,
            effect: false,
        }
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// Writes the trace id of the call into a problem, behind the prefix that is there.
    pub(crate) fn traced(mut self, trace_id: i64) -> Self {
        if self.traced
            && let Ok(Value::Object(mut fields)) = serde_json::from_str(&self.body)
        {
            let instance = fields.get("instance").and_then(Value::as_str).unwrap_or_default();
            let instance = format!("{}{trace_id}", instance.trim_end_matches(|last: char| last.is_ascii_digit()));
            fields.insert("instance".to_owned(), instance.into());
            self.body = Value::Object(fields).to_string();
        }
        self
    }

    /// Says that this is not what Konnect documents, and meant so.
    pub(crate) fn bent(mut self, bent: bool) -> Self {
        self.bent |= bent;
        self
    }

    /// Sends the body one byte at a time, with a pause before each.
    pub(crate) fn slowly(mut self, each: Duration) -> Self {
        self.pause = Some(each);
        self
    }

    /// Adds as many spaces as make the body this long.
    pub(crate) fn padded(mut self, bytes: usize) -> Self {
        let missing = bytes.saturating_sub(self.body.len());
        self.body.extend(std::iter::repeat_n(' ', missing));
        self
    }

    /// Adds the `Date` header, unless a fault has set its own. Without it the server adds its own clock's.
    pub(crate) fn dated(mut self, now: DateTime<Utc>) -> Self {
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
            self.headers.push(("date".to_owned(), now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        }
        self
    }

    /// Marks that the request changed something.
    pub(crate) fn effective(self) -> Self {
        self.with_effect(true)
    }

    /// Says whether the request changed something.
    pub(crate) fn with_effect(mut self, effect: bool) -> Self {
        self.effect = effect;
        self
    }

    /// The HTTP response. A status or header that HTTP cannot carry becomes a 500.
    pub(crate) fn into_response(self) -> Response<Body> {
        self.try_response().unwrap_or_else(|reason| {
            let mut response = Response::new(Body::from(format!("the fault's answer cannot be sent: {reason}\n")));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }

    fn try_response(self) -> Result<Response<Body>, http::Error> {
        let mut response = Response::builder().status(self.status);
        if !self.content_type.is_empty() {
            response = response.header("content-type", self.content_type);
        }
        for (name, value) in self.headers {
            response = response.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        response.body(match self.pause {
            None => Body::from(self.body),
            Some(pause) => trickle(self.body, pause),
        })
    }
}

/// A body that comes one byte at a time.
fn trickle(body: String, pause: Duration) -> Body {
    let bytes = futures::stream::iter(body.into_bytes()).then(move |byte| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(Bytes::from(vec![byte]))
    });
    Body::from_stream(bytes)
}

const PROBLEM: &str = "application/problem+json";
const RATE_LIMITED: &str = "API rate limit exceeded";

/// A problem whose trace id is not known yet. The examples have two prefixes.
fn problem_body(status: u16, detail: &str) -> Value {
    let prefix = if matches!(status, 400 | 409) { "konnect" } else { "kong" };
    json!({
        "status": status,
        "title": title(status),
        "type": format!("https://httpstatuses.com/{status}"),
        "instance": format!("{prefix}:trace:0"),
        "detail": detail,
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert(key.to_owned(), value);
    }
    body
}

fn detail_of(parameters: &[InvalidParameter]) -> &'static str {
    match parameters.first() {
        Some(first) if first.field == "body" => "Could not parse request body",
        Some(first) if first.rule == Rule::Required => "Required field missing",
        Some(first) if first.field == "endpoint" && first.rule == Rule::Invalid => "Invalid endpoint",
        Some(first) if first.field == "audit_log_destination_id" && first.rule == Rule::IsUuid => {
            "Could not parse destination id"
        }
        _ => "Invalid Parameters",
    }
}

fn title(status: u16) -> &'static str {
    if status == 409 {
        return "Resource Conflict";
    }
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_the_trace_id_of_its_call() {
        for (answer, expected) in [
            (Answer::not_found(), "kong:trace:7"),
            (Answer::conflict(), "konnect:trace:7"),
            (Answer::invalid(&[InvalidParameter::new("body", Rule::Invalid, "odd")]), "konnect:trace:7"),
            (Answer::invalid_for_portals(&[InvalidParameter::new("sort", Rule::Invalid, "odd")]), "kong:trace:7"),
        ] {
            let body: Value = serde_json::from_str(&answer.traced(7).body).unwrap();
            assert_eq!(body["instance"], expected);
        }
        assert_eq!(Answer::gateway(503, "down").traced(7), Answer::gateway(503, "down"));
    }

    #[test]
    fn a_broken_rule_has_the_fields_of_its_kind() {
        for (rule, expected) in [
            (Rule::IsDateTime, json!({"rule": "is_date_time"})),
            (Rule::MissingReference, json!({"rule": "missing_reference"})),
            (Rule::Enum { choices: &["cef", "json"] }, json!({"rule": "enum", "choices": ["cef", "json"]})),
            (Rule::Min { minimum: 1 }, json!({"rule": "min", "minimum": 1})),
            (Rule::Max { maximum: 1000 }, json!({"rule": "max", "maximum": 1000})),
        ] {
            let mut all = json!({"field": "f", "reason": "r", "source": "body"});
            all.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
            assert_eq!(json!(InvalidParameter::new("f", rule, "r")), all);
        }
    }

    #[test]
    fn an_answer_that_http_cannot_carry_is_a_500() {
        let reply = Reply { status: 200, headers: vec![("a b".to_owned(), "c".to_owned())], ..Reply::default() };
        assert_eq!(Answer::from_reply(&reply).into_response().status(), 500);
        let reply = Reply { status: 42, ..Reply::default() };
        assert_eq!(Answer::from_reply(&reply).into_response().status(), 500);
    }
}
