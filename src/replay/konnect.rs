//! The calls to Konnect that steps of a job make.

use std::time::Duration;

use chrono::Utc;
use tokio::time::timeout;

use crate::runtime::konnect::call;
use crate::runtime::shared::Shared;
use konnect_replay_core::api::Submission;
use konnect_replay_core::konnect::{
    self as answers, CallError, Endpoint, Reading, RemoteJob, RemoteTarget, Request, Token,
};
use konnect_replay_core::replay::{PutAnswer, WebhookReading};

/// How long a look that is only for the record may take.
const BRIEF: Duration = Duration::from_secs(5);

/// Reads Konnect's replay job.
pub(super) async fn read_remote(
    shared: &Shared,
    target: &RemoteTarget,
    token: &Token,
) -> Result<Reading<RemoteJob>, CallError> {
    let answer = call(shared, target, &Request::get(target, Endpoint::ReplayJob), token).await?;
    answers::read_replay_job(&answer, Utc::now())
}

/// Reads the webhook's configuration, and what Konnect knows of its deliveries.
pub(super) async fn read_webhook(shared: &Shared, target: &RemoteTarget, token: &Token, brief: bool) -> WebhookReading {
    let limit = if brief { BRIEF } else { shared.config.policy.request_timeout };
    let late = || CallError::NoAnswer("the time allowed for the call was over".to_owned());
    let config = timeout(limit, call(shared, target, &Request::get(target, Endpoint::Webhook), token)).await;
    let config =
        config.unwrap_or_else(|_| Err(late())).and_then(|answer| Ok(answers::read_webhook(&answer, Utc::now())?.value));
    if config.is_err() {
        return WebhookReading { config, status: None };
    }
    let status = timeout(limit, call(shared, target, &Request::get(target, Endpoint::WebhookStatus), token)).await;
    let status =
        status.ok().and_then(Result::ok).and_then(|answer| answers::read_webhook_status(&answer, Utc::now()).ok());
    WebhookReading { config, status: status.map(|reading| reading.value) }
}

/// Sends the recorded window, once.
pub(super) async fn submit(shared: &Shared, target: &RemoteTarget, token: &Token, sent: &Submission) -> PutAnswer {
    let answer = call(shared, target, &Request::put_replay_job(target, sent.window), token).await;
    let job = answer.and_then(|answer| Ok(answers::read_replay_job(&answer, Utc::now())?.value));
    PutAnswer::new(sent, job)
}
