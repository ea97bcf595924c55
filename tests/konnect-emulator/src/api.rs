//! The Konnect API: one call from request to answer, with its fault, its holds and its record.
//!
//! This file is the frame; what each endpoint does is in `endpoints`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Response, Uri};

use crate::endpoints;
use crate::fault::Action;
use crate::hold::{HoldPoint, Ticket, Verdict};
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
    let identity = bearer(&headers).and_then(|token| shared.read(|world| world.identify(token).cloned()));
    let request = Request { method, route: Route::parse(uri.path()), identity, body };
    let begun = begin(&shared, &request, &uri);
    let (number, held) = (begun.number, begun.ticket.is_some());
    let work = carry_out(shared.clone(), request, begun, cut.clone());
    // What was held is applied on release, whether its client is still there or not.
    let ending = if held { tokio::spawn(work).await.unwrap_or(Ending::Cut) } else { work.await };
    match ending {
        Ending::Answer(answer) => {
            let response = answer.into_response();
            end(&shared, number, Some(response.status().as_u16()));
            response
        }
        Ending::Cut => {
            end(&shared, number, None);
            cut.connection().await
        }
        Ending::Hang => {
            end(&shared, number, None);
            std::future::pending().await
        }
    }
}

/// The token of a request. Anything but `Bearer` is no token, as at Konnect.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A call that has been written down.
struct Begun {
    number: u64,
    action: Option<Action>,
    /// It is held before its effect.
    ticket: Option<Ticket>,
}

/// How a call ends for its client.
enum Ending {
    Answer(Answer),
    /// The connection is closed.
    Cut,
    /// There is no answer, and the connection stays.
    Hang,
}

/// Writes the call down before anything happens, so that one left hanging is seen too; takes its fault and its hold.
fn begin(shared: &Shared, request: &Request, uri: &Uri) -> Begun {
    shared.update(|world, now| {
        let (method, route) = (request.method.as_str(), request.route.as_ref());
        let (fault, action) = world.faults.take(method, route).unzip();
        let number = world.log_call(Call { fault, ..record(request, uri, now) });
        Begun { number, action, ticket: world.holds.stop(HoldPoint::Before, number, method, route) }
    })
}

fn record(request: &Request, uri: &Uri, at: DateTime<Utc>) -> Call {
    Call {
        number: 0,
        at,
        org: request.identity.as_ref().map(|identity| identity.org.clone()),
        token: request.identity.as_ref().map(|identity| identity.token.clone()),
        method: request.method.to_string(),
        path: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        status: None,
        effect: false,
        fault: None,
    }
}

/// From the hold before the effect to the answer.
async fn carry_out(shared: Arc<Shared>, request: Request, begun: Begun, cut: Cut) -> Ending {
    let Begun { number, action, ticket } = begun;
    if is_cut(ticket).await {
        return Ending::Cut;
    }
    match action {
        Some(Action::CutBefore) => return Ending::Cut,
        Some(Action::Hang) => return Ending::Hang,
        Some(Action::Delay { time }) => tokio::time::sleep(time).await,
        Some(Action::GoAway) => cut.announce().await,
        _ => {}
    }
    let answer = apply(&shared, &request, action.as_ref());
    if is_cut(applied(&shared, &request, number, answer.effect)).await {
        return Ending::Cut;
    }
    let answer = answer.dated(shared.read(|world| endpoints::clock(world, &request, Utc::now())));
    match action {
        Some(Action::CutAfter) => Ending::Cut,
        Some(Action::SlowBody { each }) => Ending::Answer(answer.slowly(each)),
        Some(Action::LargeBody { bytes }) => Ending::Answer(answer.padded(bytes)),
        _ => Ending::Answer(answer),
    }
}

async fn is_cut(ticket: Option<Ticket>) -> bool {
    match ticket {
        Some(ticket) => ticket.verdict().await == Verdict::Cut,
        None => false,
    }
}

/// The effect, and the answer that follows from it or from the fault.
fn apply(shared: &Shared, request: &Request, action: Option<&Action>) -> Answer {
    match action {
        Some(Action::Answer(reply)) => {
            let effect = reply.applied && endpoints::answer(shared, request).effect;
            Answer::from_reply(reply).with_effect(effect)
        }
        _ => endpoints::answer(shared, request),
    }
}

/// Writes the effect down at once, whatever becomes of the answer, and takes the hold after it.
fn applied(shared: &Shared, request: &Request, number: u64, effect: bool) -> Option<Ticket> {
    shared.update(|world, _| {
        if let Some(call) = world.calls.find_mut(|call| call.number == number) {
            call.effect = effect;
        }
        world.holds.stop(HoldPoint::After, number, request.method.as_str(), request.route.as_ref())
    })
}

/// Writes down how the call ended, and logs its line.
fn end(shared: &Shared, number: u64, status: Option<u16>) {
    let call = shared.update(|world, _| {
        let call = world.calls.find_mut(|call| call.number == number)?;
        call.status = status;
        Some(call.clone())
    });
    let Some(Call { method, path, token, effect, fault, .. }) = call else { return };
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let token = token.as_deref().unwrap_or("-");
    tracing::info!(number, method, path, status, token, effect, fault, "call");
}
