//! Answers that the proxy makes itself, in the API server's words.

use axum::body::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// A Kubernetes `Status` to an HTTP status.
pub(super) fn status(code: u16) -> Value {
    let reason = match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Unknown",
    };
    json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": format!("the fault proxy answers {code}"),
    })
}

/// A refusal, with `Retry-After` in seconds where it is to have one.
pub(super) fn refusal(code: u16, retry_after: Option<u32>) -> Response<Body> {
    let mut answer = json_answer(StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT), &status(code));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// A JSON body.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
