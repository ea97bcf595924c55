//! Doing one step: every call out of the process, each bounded in time.

use std::time::{Duration, Instant};

use chrono::Utc;
use kube::Api;
use kube::api::{DeleteParams, PatchParams, Preconditions};
use tokio::time::timeout;

use super::context::Context;
use super::error::KubeError;
use super::slim::Objects;
use super::status_patch::FIELD_MANAGER;
use super::{secret, status_patch};
use konnect_replay_core::api::{AuditLogReplayJob, AuditLogReplayJobStatus, Submission};
use konnect_replay_core::konnect::{
    CallError, Endpoint, RawAnswer, Reading, RemoteJob, RemoteTarget, Request, Token, limits, read_replay_job,
    read_webhook, read_webhook_status,
};
use konnect_replay_core::replay::{PutAnswer, SecretRef, TokenProblem, WebhookReading};

/// How long a look that is only for the record may take.
const BRIEF: Duration = Duration::from_secs(5);

impl Context {
    async fn kube<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, KubeError> {
        let limit = self.config.policy.request_timeout;
        timeout(limit, call).await.map_err(|_| KubeError::Timeout(limit))?.map_err(KubeError::new)
    }

    /// Reads an object anew, past the watch's cache.
    pub(super) async fn read_job(&self, namespace: &str, name: &str) -> Result<AuditLogReplayJob, KubeError> {
        self.kube(Objects::new(&self.client).get(namespace, name)).await
    }

    /// Writes a status on exactly the version of `job`.
    pub(super) async fn write_status(
        &self,
        namespace: &str,
        job: &AuditLogReplayJob,
        status: &AuditLogReplayJobStatus,
    ) -> Result<AuditLogReplayJob, KubeError> {
        let version = job.metadata.resource_version.as_deref().unwrap_or_default();
        let patch = status_patch::patch(version, job.status.as_ref(), status)
            .map_err(|e| KubeError::Other(Box::new(kube::Error::SerdeError(e))))?;
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let name = job.metadata.name.as_deref().unwrap_or_default();
        self.kube(Objects::new(&self.client).patch_status((namespace, name), &params, patch)).await
    }

    /// Deletes exactly the version of `job`.
    pub(super) async fn delete_job(&self, namespace: &str, job: &AuditLogReplayJob) -> Result<(), KubeError> {
        let exactly =
            Preconditions { uid: job.metadata.uid.clone(), resource_version: job.metadata.resource_version.clone() };
        let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let jobs = Api::<AuditLogReplayJob>::namespaced(self.client.clone(), namespace);
        self.kube(jobs.delete(name, &params)).await.map(drop)
    }

    /// Reads the token from its Secret.
    pub(super) async fn read_token(&self, at: &SecretRef) -> Result<Token, TokenProblem> {
        let found = self.kube(secret::read(&self.client, at)).await.map_err(|error| match error {
            KubeError::Gone => TokenProblem::SecretNotFound,
            other if other.may_pass() => TokenProblem::SecretUnanswered(limits::clean(&unreadable_because(&other))),
            other => TokenProblem::SecretUnreadable(limits::clean(&unreadable_because(&other))),
        })?;
        let value = found.data.as_ref().and_then(|data| data.get(&at.key)).ok_or(TokenProblem::KeyMissing)?;
        Token::parse(&value.0, &self.config.token_prefixes).map_err(TokenProblem::Invalid)
    }

    /// Reads Konnect's replay job.
    pub(super) async fn read_remote(
        &self,
        target: &RemoteTarget,
        token: &Token,
    ) -> Result<Reading<RemoteJob>, CallError> {
        let answer = self.call(target, &Request::get(target, Endpoint::ReplayJob), token).await?;
        read_replay_job(&answer, Utc::now())
    }

    /// Reads the webhook's configuration, and what Konnect knows of its deliveries.
    pub(super) async fn read_webhook(&self, target: &RemoteTarget, token: &Token, brief: bool) -> WebhookReading {
        let limit = if brief { BRIEF } else { self.config.policy.request_timeout };
        let late = || CallError::NoAnswer("the time allowed for the call was over".to_owned());
        let config = timeout(limit, self.call(target, &Request::get(target, Endpoint::Webhook), token)).await;
        let config =
            config.unwrap_or_else(|_| Err(late())).and_then(|answer| Ok(read_webhook(&answer, Utc::now())?.value));
        if config.is_err() {
            return WebhookReading { config, status: None };
        }
        let status = timeout(limit, self.call(target, &Request::get(target, Endpoint::WebhookStatus), token)).await;
        let status = status.ok().and_then(Result::ok).and_then(|answer| read_webhook_status(&answer, Utc::now()).ok());
        WebhookReading { config, status: status.map(|reading| reading.value) }
    }

    /// Sends the recorded window, once.
    pub(super) async fn submit(&self, target: &RemoteTarget, token: &Token, sent: &Submission) -> PutAnswer {
        let answer = self.call(target, &Request::put_replay_job(target, sent.window), token).await;
        let job = answer.and_then(|answer| Ok(read_replay_job(&answer, Utc::now())?.value));
        PutAnswer::new(sent, job)
    }

    async fn call(&self, target: &RemoteTarget, request: &Request, token: &Token) -> Result<RawAnswer, CallError> {
        let began = Instant::now();
        let answer = self.konnect.send(request, token).await;
        let outcome = answer.as_ref().map(|answer| answer.status);
        self.metrics.called(target, request.method.as_str(), outcome, began.elapsed());
        match &answer {
            Ok(answer) => {
                tracing::debug!(method = %request.method, url = request.url, status = answer.status, "konnect call");
            }
            Err(error) => tracing::debug!(method = %request.method, url = request.url, %error, "konnect call"),
        }
        answer
    }
}

/// Only what does not change from one try to the next: this enters a condition.
fn unreadable_because(error: &KubeError) -> String {
    match error {
        KubeError::Other(source) => match source.as_ref() {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            _ => "the apiserver cannot be reached".to_owned(),
        },
        other => other.to_string(),
    }
}
