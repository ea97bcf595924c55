//! The Konnect API: one call from request to answer, with its fault, its holds and its record.
//!
//! This file is the frame; what each endpoint does is in `endpoints`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, Uri};

use crate::endpoints;
use crate::event::new_trace_id;
use crate::fault::{Action, Reply};
use crate::hold::{HoldPoint, Ticket, Verdict};
use crate::limit::{Asker, TooMany};
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
    pub(crate) uri: Uri,
    pub(crate) route: Option<Route>,
    pub(crate) identity: Option<Identity>,
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<String>,
    address: IpAddr,
    /// New in every call.
    pub(crate) trace_id: i64,
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    Extension(cut): Extension<Cut>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Bytes,
) -> Response<Body> {
    let identity = bearer(&headers).and_then(|token| shared.read(|world| world.identify(token).cloned()));
    let (route, address, trace_id) = (Route::parse(uri.path()), client.ip(), new_trace_id());
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = Request { method, uri, route, identity, body, content_type, address, trace_id };
    let begun = begin(&shared, &request);
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
    /// It is one too many.
    too_many: Option<TooMany>,
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
fn begin(shared: &Shared, request: &Request) -> Begun {
    shared.update(|world, now| {
        let (method, route) = (request.method.as_str(), request.route.as_ref());
        let (fault, action) = world.faults.take(method, route).unzip();
        let number = world.log_call(Call { fault, ..record(request, now) });
        let too_many = world.limits.take(asker(request), now);
        Begun { number, action, ticket: world.holds.stop(HoldPoint::Before, number, method, route), too_many }
    })
}

fn asker(request: &Request) -> Asker<'_> {
    let (org, token) = request.identity.as_ref().map(|who| (who.org.as_str(), who.token.as_str())).unzip();
    Asker { token, org, address: request.address }
}

fn record(request: &Request, at: DateTime<Utc>) -> Call {
    Call {
        number: 0,
        at,
        org: request.identity.as_ref().map(|identity| identity.org.clone()),
        token: request.identity.as_ref().map(|identity| identity.token.clone()),
        method: request.method.to_string(),
        path: request.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        status: None,
        effect: false,
        fault: None,
    }
}

/// From the hold before the effect to the answer.
async fn carry_out(shared: Arc<Shared>, request: Request, begun: Begun, cut: Cut) -> Ending {
    let Begun { number, action, ticket, too_many } = begun;
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
    let answer = match (&action, too_many) {
        (Some(Action::Answer(reply)), _) => reply_applied(&shared, &request, reply),
        (_, Some(broken)) => Answer::too_many(&broken),
        _ => endpoints::answer(&shared, &request),
    };
    let answer = answer.traced(request.trace_id);
    shared.check(number, &request, &answer);
    endpoints::leave_events(&shared, &request);
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

/// The answer of a fault, with or without the effect of the request.
fn reply_applied(shared: &Shared, request: &Request, reply: &Reply) -> Answer {
    let effect = reply.applied && endpoints::answer(shared, request).effect;
    Answer::from_reply(reply).with_effect(effect)
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
