//! The Konnect API: one call from request to answer, with its fault and its record.
//!
//! This file is the frame; what each endpoint does is in `endpoints`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::{Extension, Router};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Response, Uri};

use crate::endpoints;
use crate::fault::Action;
use crate::record::Call;
use crate::route::Route;
use crate::serve::Cut;
use crate::shared::Shared;
use crate::wire::Answer;
use crate::world::Identity;

/// The router of the Konnect API: everything goes to one handler, so that faults and the log see every path.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

/// One request, read.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) route: Option<Route>,
    pub(crate) identity: Option<Identity>,
    pub(crate) body: Bytes,
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let identity =
        bearer(&headers).and_then(|token| shared.read(|world| world.identify(token).cloned()));
    let request = Request {
        method,
        route: Route::parse(uri.path()),
        identity,
        body,
    };
    let (number, action) = begin(&shared, &request, &uri);
    let answer = match action {
        None => endpoints::answer(&shared, &request),
        Some(action) => faulty(&shared, &request, action, number, &cut).await,
    };
    let effect = answer.effect;
    let response = answer.into_response();
    end(&shared, number, Some(response.status().as_u16()), effect);
    response
}

/// The token of a request. Anything but `Bearer` is no token, as at Konnect.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Writes the call down before anything happens, so that one left hanging is seen too, and takes its fault.
fn begin(shared: &Shared, request: &Request, uri: &Uri) -> (u64, Option<Action>) {
    shared.update(|world, now| {
        let (fault, action) = world
            .faults
            .take(request.method.as_str(), request.route.as_ref())
            .unzip();
        let call = Call {
            number: 0,
            at: now,
            org: request
                .identity
                .as_ref()
                .map(|identity| identity.org.clone()),
            token: request
                .identity
                .as_ref()
                .map(|identity| identity.token.clone()),
            method: request.method.to_string(),
            path: uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            status: None,
            effect: false,
            fault,
        };
        (world.log_call(call), action)
    })
}

/// Writes down how the call ended, and logs its line.
fn end(shared: &Shared, number: u64, status: Option<u16>, effect: bool) {
    let call = shared.update(|world, _| {
        let call = world.calls.find_mut(|call| call.number == number)?;
        call.status = status;
        call.effect = effect;
        Some(call.clone())
    });
    let Some(call) = call else { return };
    let status = call
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let token = call.token.as_deref().unwrap_or("-");
    tracing::info!(
        number,
        method = call.method,
        path = call.path,
        status,
        token,
        effect,
        fault = call.fault,
        "call"
    );
}

/// Carries out a fault. Where the client gets no answer, this does not return.
async fn faulty(
    shared: &Shared,
    request: &Request,
    action: Action,
    number: u64,
    cut: &Cut,
) -> Answer {
    match action {
        Action::Answer(reply) => {
            let effect = reply.applied && endpoints::answer(shared, request).effect;
            Answer::from_reply(&reply).with_effect(effect)
        }
        Action::Delay { time } => {
            tokio::time::sleep(time).await;
            endpoints::answer(shared, request)
        }
        Action::CutBefore => {
            end(shared, number, None, false);
            cut.connection().await
        }
        Action::CutAfter => {
            let effect = endpoints::answer(shared, request).effect;
            end(shared, number, None, effect);
            cut.connection().await
        }
        Action::Hang => {
            end(shared, number, None, false);
            std::future::pending().await
        }
    }
}
