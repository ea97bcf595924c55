//! One call to Konnect, measured and logged.

use std::time::Instant;

use crate::runtime::shared::Shared;
use konnect_replay_core::konnect::{CallError, RawAnswer, RemoteTarget, Request, Token};

/// Sends `request` once. It ends within `--request-timeout`.
pub(crate) async fn call(
    shared: &Shared,
    target: &RemoteTarget,
    request: &Request,
    token: &Token,
) -> Result<RawAnswer, CallError> {
    let began = Instant::now();
    let answer = shared.konnect.send(request, token).await;
    let outcome = answer.as_ref().map(|answer| answer.status);
    shared.metrics.called(target, request.method.as_str(), outcome, began.elapsed());
    match &answer {
        Ok(answer) => {
            tracing::debug!(method = %request.method, url = request.url, status = answer.status, "konnect call");
        }
        Err(error) => tracing::debug!(method = %request.method, url = request.url, %error, "konnect call"),
    }
    answer
}
