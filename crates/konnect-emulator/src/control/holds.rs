//! Hold points over the control API.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::parts::{Answer, Body, nothing};
use crate::emulator::Handle;
use crate::hold::{Hold, HoldId, Verdict};

/// Longest wait of one request; who wants more asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub(super) fn router() -> Router<Handle> {
    Router::new()
        .route("/", get(all).post(add).delete(release_all))
        .route("/points", get(points))
        .route("/{id}", get(show).delete(release))
        .route("/{id}/held", get(held))
        .route("/{id}/release", post(release))
        .route("/{id}/release-next", post(release_next))
        .route("/{id}/cut", post(cut))
}

async fn all(State(handle): State<Handle>) -> Json<Value> {
    Json(handle.shared.read(|world| json!(world.holds.rules())))
}

async fn points() -> Json<Value> {
    Json(Hold::every().iter().map(|hold| json!({"name": hold.to_string(), "hold": hold})).collect())
}

async fn add(State(handle): State<Handle>, Body(hold): Body<Hold>) -> Json<Value> {
    Json(json!({"id": handle.update(|world| world.holds.add(hold))}))
}

async fn release_all(State(handle): State<Handle>) -> Json<Value> {
    handle.update(|world| world.holds.end_all(Verdict::GoOn));
    nothing()
}

async fn show(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    Ok(Json(json!(handle.hold_rule(HoldId(id))?)))
}

/// Answers as soon as a request is held there.
async fn held(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    Ok(Json(json!(handle.wait_held(HoldId(id), LONGEST_WAIT).await?)))
}

async fn release(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    handle.end_hold(HoldId(id), Verdict::GoOn)?;
    Ok(nothing())
}

async fn release_next(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    handle.release_next(HoldId(id))?;
    Ok(nothing())
}

async fn cut(State(handle): State<Handle>, Path(id): Path<u64>) -> Answer {
    handle.end_hold(HoldId(id), Verdict::Cut)?;
    Ok(nothing())
}
