//! The control API: the operations of the handle as JSON over HTTP, on a port of its own.
//!
//! The README lists it with examples. It has no authentication: it belongs on loopback or behind a network policy.

mod behaviours;
mod holds;
mod parts;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::contract::OPENAPI;
use crate::control::parts::{Answer, At, Body, Failure, nothing};
use crate::emulator::Handle;
use crate::fault::Fault;
use crate::limit::{Limits, RateLimit};
use crate::model::{ApiVersion, Role, Status, TargetKey, Window};
use crate::settings::Timings;
use crate::webhook::Webhook;
use crate::world::{Emit, Target, World};

/// The router of the control API.
pub(crate) fn router(handle: Handle) -> Router {
    let target = Router::new()
        .route("/", put(add_portal).get(show_target))
        .route("/webhook", put(set_webhook).delete(remove_webhook))
        .route("/events", post(emit).get(events))
        .route("/job", get(job))
        .route("/runs", get(runs).post(foreign_run))
        .route("/timings", put(set_timings))
        .route("/behaviour", get(behaviours::own).patch(behaviours::change_own))
        .route("/manual", put(set_manual))
        .route("/advance", post(advance))
        .route("/fail-next", put(fail_next))
        .route("/forced-job", put(force_job).delete(unforce_job))
        .route("/version", put(set_version));
    Router::new()
        .route("/", get(about))
        .route("/ca.pem", get(ca_pem))
        .route("/organizations/{org}", put(add_organization))
        .route("/organizations/{org}/tokens", post(add_token))
        .route("/tokens/role", post(set_role))
        .route("/tokens/revoke", post(revoke_token))
        .route("/targets", get(targets))
        .nest("/targets/{org}/{region}/{scope}", target)
        .route("/questions", get(behaviours::questions).patch(behaviours::set_questions))
        .route("/behaviour", get(behaviours::common).patch(behaviours::change_common))
        .nest("/holds", holds::router())
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/rate-limits", get(rate_limits).put(set_rate_limits))
        .route("/violations", get(violations))
        .route("/openapi.yaml", get(openapi))
        .route("/calls", get(calls).delete(clear_calls))
        .route("/deliveries", get(deliveries).delete(clear_deliveries))
        .route("/changes", get(changes))
        .fallback(async || Failure(StatusCode::NOT_FOUND, "no such path; GET / lists them".to_owned()))
        .with_state(handle)
}

async fn about(State(handle): State<Handle>) -> Json<Value> {
    let organizations = handle.shared.read(World::organizations);
    Json(json!({
        "konnect_url": handle.addresses.url_template(),
        "organizations": organizations,
        "paths": ["/ca.pem", "/organizations/{org}", "/organizations/{org}/tokens", "/tokens/role", "/tokens/revoke", "/targets",
            "/targets/{org}/{region}/{portalId|organization}", "/questions", "/behaviour", "/faults", "/holds",
             "/rate-limits", "/calls", "/deliveries", "/violations", "/openapi.yaml", "/changes"],
    }))
}

async fn ca_pem(State(handle): State<Handle>) -> Result<Response, Failure> {
    let no_tls = || Failure(StatusCode::NOT_FOUND, "the emulator does not serve TLS".to_owned());
    let pem = handle.addresses.ca_pem.clone().ok_or_else(no_tls)?;
    Ok(([(HeaderName::from_static("content-type"), "application/x-pem-file")], pem).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    token: String,
    role: Option<Role>,
}

async fn add_organization(
    State(handle): State<Handle>,
    Path(org): Path<String>,
    Body(body): Body<TokenBody>,
) -> Answer {
    if org.is_empty() || org.contains('/') {
        return Err(Failure(StatusCode::BAD_REQUEST, "an organization's name has no slash".to_owned()));
    }
    Ok(Json(json!({"token_name": handle.add_organization(&org, &body.token)?})))
}

async fn add_token(State(handle): State<Handle>, Path(org): Path<String>, Body(body): Body<TokenBody>) -> Answer {
    let role = body.role.unwrap_or(Role::AuditLogAdmin);
    Ok(Json(json!({"token_name": handle.update(|world| world.add_token(&org, &body.token, role))?})))
}

async fn set_role(State(handle): State<Handle>, Body(body): Body<TokenBody>) -> Answer {
    let role = body.role.ok_or_else(|| Failure(StatusCode::BAD_REQUEST, "`role` is missing".to_owned()))?;
    known(handle.update(|world| world.set_role(&body.token, role)))
}

async fn revoke_token(State(handle): State<Handle>, Body(body): Body<TokenBody>) -> Answer {
    known(handle.update(|world| world.revoke_token(&body.token)))
}

fn known(found: bool) -> Answer {
    if found { Ok(nothing()) } else { Err(Error::UnknownToken.into()) }
}

async fn targets(State(handle): State<Handle>) -> Json<Value> {
    handle.shared.tick();
    let all =
        handle.shared.read(|world| world.targets().map(|(key, target)| describe(key, target)).collect::<Vec<_>>());
    Json(json!(all))
}

async fn show_target(at: At) -> Answer {
    let key = at.key.clone();
    at.look(|target| describe(&key, target))
}

fn describe(key: &TargetKey, target: &Target) -> Value {
    json!({
        "target": key,
        "job": target.job.view(),
        "manual": target.job.is_manual(),
        "behaviour": target.job.behaviour(),
        "runs": target.job.runs().len(),
        "events": target.events.len(),
        "webhook": target.webhook.webhook,
        "webhook_status": target.webhook.status(),
    })
}

async fn add_portal(at: At) -> Answer {
    at.handle.update(|world| world.add_portal(&at.key))?;
    Ok(nothing())
}

async fn set_webhook(at: At, Body(webhook): Body<Webhook>) -> Answer {
    let destination_id = webhook.destination_id.clone();
    at.handle.set_webhook(&at.key, Some(webhook))?;
    Ok(Json(json!({ "destination_id": destination_id })))
}

async fn remove_webhook(at: At) -> Answer {
    at.handle.set_webhook(&at.key, None)?;
    Ok(nothing())
}

async fn emit(at: At, Body(body): Body<Emit>) -> Answer {
    Ok(Json(json!({"event_ids": at.handle.emit(&at.key, body)?})))
}

async fn events(at: At) -> Answer {
    at.look(|target| json!(target.events))
}

async fn job(at: At) -> Answer {
    at.look(|target| json!(target.job.view()))
}

async fn runs(at: At) -> Answer {
    at.look(|target| json!(target.job.runs()))
}

async fn foreign_run(at: At, Body(window): Body<Window>) -> Answer {
    Ok(Json(json!({"run": at.handle.foreign_run(&at.key, window)?})))
}

async fn set_timings(at: At, Body(timings): Body<Timings>) -> Answer {
    at.change(|target| target.job.set_timings(timings))
}

#[derive(Deserialize)]
struct ManualBody {
    manual: bool,
}

async fn set_manual(at: At, Body(body): Body<ManualBody>) -> Answer {
    at.change(|target| target.job.set_manual(body.manual))
}

#[derive(Deserialize)]
struct StatusBody {
    status: Status,
}

async fn advance(at: At, Body(body): Body<StatusBody>) -> Answer {
    at.handle.advance(&at.key, body.status)?;
    job(at).await
}

#[derive(Deserialize)]
struct RunsBody {
    runs: u32,
}

async fn fail_next(at: At, Body(body): Body<RunsBody>) -> Answer {
    at.change(|target| target.job.fail_next(body.runs))
}

async fn force_job(at: At, Body(body): Body<Value>) -> Answer {
    at.change(|target| target.forced = Some(body))
}

async fn unforce_job(at: At) -> Answer {
    at.change(|target| target.forced = None)
}

#[derive(Deserialize)]
struct VersionBody {
    only: Option<ApiVersion>,
}

async fn set_version(at: At, Body(body): Body<VersionBody>) -> Answer {
    at.change(|target| target.only = body.only)
}

async fn faults(State(handle): State<Handle>) -> Json<Value> {
    Json(handle.shared.read(|world| json!(world.faults.rules())))
}

async fn add_fault(State(handle): State<Handle>, Body(fault): Body<Fault>) -> Json<Value> {
    Json(json!({"number": handle.update(|world| world.faults.add(fault))}))
}

async fn clear_faults(State(handle): State<Handle>) -> Answer {
    handle.update(|world| world.faults.clear());
    Ok(nothing())
}

async fn rate_limits(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.shared.read(|world| world.limits.all())))
}

async fn set_rate_limits(State(handle): State<Handle>, Body(limits): Body<Vec<RateLimit>>) -> Answer {
    handle.update(|world| world.limits = Limits::new(&limits));
    Ok(nothing())
}

async fn violations(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.shared.read(|world| world.violations.to_vec())))
}

async fn openapi() -> Response {
    ([(HeaderName::from_static("content-type"), "application/yaml")], OPENAPI).into_response()
}

async fn calls(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.shared.read(|world| world.calls.to_vec())))
}

async fn clear_calls(State(handle): State<Handle>) -> Answer {
    handle.update(|world| world.calls.clear());
    Ok(nothing())
}

async fn deliveries(State(handle): State<Handle>) -> Json<Value> {
    Json(json!(handle.shared.read(|world| world.deliveries.to_vec())))
}

async fn clear_deliveries(State(handle): State<Handle>) -> Answer {
    handle.update(|world| world.deliveries.clear());
    Ok(nothing())
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    after: u64,
}

/// Answers the number of changes so far, as soon as it exceeds `after`, and after 30 s in any case.
async fn changes(State(handle): State<Handle>, Query(since): Query<Since>) -> Json<Value> {
    let mut changes = handle.shared.changes();
    let exceeds = changes.wait_for(|count| *count > since.after);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(30), exceeds).await;
    Json(json!({"changes": *handle.shared.changes().borrow()}))
}
