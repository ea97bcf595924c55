//! What the operations of the control API have in common: targets in paths, bodies, answers, errors.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::emulator::Handle;
use crate::model::TargetKey;
use crate::world::Target;
use crate::{Error, InvalidTarget};

pub(super) type Answer = Result<Json<Value>, Failure>;

/// An error as `{"error": …}`.
pub(super) struct Failure(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::UnknownOrganization(_) | Error::UnknownTarget(_) | Error::UnknownToken | Error::UnknownHold(_) => {
                StatusCode::NOT_FOUND
            }
            Error::Refused(_) => StatusCode::CONFLICT,
            Error::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
            Error::Listen { .. } | Error::Certificate(_) | Error::Pem(_) | Error::Tls(_) | Error::Random => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, error.to_string())
    }
}

/// The target in the path, and the handle.
pub(super) struct At {
    pub(super) handle: Handle,
    pub(super) key: TargetKey,
}

impl FromRequestParts<Handle> for At {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, handle: &Handle) -> Result<Self, Failure> {
        let bad = |reason: String| Failure(StatusCode::BAD_REQUEST, reason);
        let path = Path::<(String, String, String)>::from_request_parts(parts, handle).await;
        let Path((org, region, scope)) = path.map_err(|rejection| bad(rejection.body_text()))?;
        let key = format!("{org}/{region}/{scope}").parse().map_err(|error: InvalidTarget| bad(error.to_string()))?;
        Ok(Self { handle: handle.clone(), key })
    }
}

impl At {
    pub(super) fn change(&self, change: impl FnOnce(&mut Target)) -> Answer {
        self.handle.update(|world| world.target_mut(&self.key).map(change))?;
        Ok(nothing())
    }

    pub(super) fn look(&self, look: impl FnOnce(&Target) -> Value) -> Answer {
        Ok(Json(self.handle.look(&self.key, look)?))
    }
}

pub(super) fn nothing() -> Json<Value> {
    Json(json!({}))
}

/// A JSON body, whatever content type the request claims: `curl -d` claims a form.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Handle> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, handle: &Handle) -> Result<Self, Failure> {
        let bad = |reason: String| Failure(StatusCode::BAD_REQUEST, reason);
        let bytes = Bytes::from_request(request, handle).await.map_err(|rejection| bad(rejection.body_text()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| bad(format!("the body: {error}")))
    }
}
