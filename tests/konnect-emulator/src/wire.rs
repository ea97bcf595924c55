//! Answers as they look on the wire: JSON, `application/problem+json`, and the gateway's own `{"message": …}`.
//!
//! Shapes only. Which answer is due is decided in `world` and `api`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault::Reply;

/// One answer, not yet sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Time before each byte of the body.
    pause: Option<Duration>,
    /// Whether the request changed something.
    pub(crate) effect: bool,
}

/// One entry of `invalid_parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InvalidParameter {
    pub(crate) field: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) reason: String,
    pub(crate) source: &'static str,
}

impl InvalidParameter {
    pub(crate) fn new(field: &'static str, rule: &'static str, reason: impl Into<String>) -> Self {
        Self { field, rule, reason: reason.into(), source: "body" }
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::with_body(status, "application/json", body)
    }

    /// An error of a service behind the gateway. `instance` is new in every answer.
    pub(crate) fn problem(status: u16, detail: &str) -> Self {
        Self::with_body(status, PROBLEM, &problem_body(status, detail))
    }

    pub(crate) fn invalid(parameters: &[InvalidParameter]) -> Self {
        let mut body = problem_body(400, "Invalid Parameters");
        if let Value::Object(fields) = &mut body {
            fields.insert("invalid_parameters".to_owned(), json!(parameters));
        }
        Self::with_body(400, PROBLEM, &body)
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
                headers: Vec::new(),
                body: body.clone(),
                pause: None,
                effect: false,
            },
        };
        answer.headers.clone_from(&reply.headers);
        answer
    }

    /// What Konnect sends with a status when nothing more is known.
    fn usual(status: u16) -> Self {
        match status {
            401 => Self::gateway(401, "Unauthorized"),
            429 => Self::gateway(429, "API rate limit exceeded"),
            400..=499 => Self::problem(status, title(status)),
            500..=599 => Self::gateway(status, "An unexpected error occurred"),
            _ => Self::json(status, &json!({})),
        }
    }

    fn with_body(status: u16, content_type: &str, body: &Value) -> Self {
        let content_type = content_type.to_owned();
        Self { status, content_type, headers: Vec::new(), body: body.to_string(), pause: None, effect: false }
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
        let mut response = Response::builder().status(self.status).header("content-type", self.content_type);
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

fn problem_body(status: u16, detail: &str) -> Value {
    let (trace, _) = Uuid::new_v4().as_u64_pair();
    json!({
        "status": status,
        "title": title(status),
        "type": format!("https://httpstatuses.com/{status}"),
        "instance": format!("kong:trace:{trace}"),
        "detail": detail,
    })
}

fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_a_trace_id_of_its_own() {
        let instance = || {
            let body: Value = serde_json::from_str(&Answer::problem(404, "no such portal").body).unwrap();
            body["instance"].as_str().unwrap().to_owned()
        };
        assert_ne!(instance(), instance());
    }

    #[test]
    fn an_answer_that_http_cannot_carry_is_a_500() {
        let reply = Reply { status: 200, headers: vec![("a b".to_owned(), "c".to_owned())], ..Reply::default() };
        assert_eq!(Answer::from_reply(&reply).into_response().status(), 500);
        let reply = Reply { status: 42, ..Reply::default() };
        assert_eq!(Answer::from_reply(&reply).into_response().status(), 500);
    }
}
