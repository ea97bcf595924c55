//! Objects that read as sentences.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, Condition, ConditionStatus, ConditionType, KonnectApiVersion, Scope,
    SecretKeyRef, Target, WebhookPolicy, WindowSpec,
};

/// An `AuditLogReplayJob` in the making: a window of an hour, two hours ago.
#[derive(Clone, Debug)]
pub struct JobBuilder(AuditLogReplayJob);

impl JobBuilder {
    pub fn portal(name: &str, region: &str, portal_id: &str) -> Self {
        Self::new(name, region, Scope::Portal, Some(portal_id.to_owned()))
    }

    pub fn organization(name: &str, region: &str) -> Self {
        Self::new(name, region, Scope::Organization, None)
    }

    fn new(name: &str, region: &str, scope: Scope, portal_id: Option<String>) -> Self {
        let now = Utc::now().trunc_subsecs(0);
        let spec = AuditLogReplayJobSpec::new(
            Target { region: region.to_owned(), scope, portal_id, konnect_api_version: KonnectApiVersion::default() },
            WindowSpec::new(now - TimeDelta::hours(2), now - TimeDelta::hours(1)),
            SecretKeyRef { name: "konnect-token".to_owned(), key: "token".to_owned() },
        );
        Self(AuditLogReplayJob::new(name, spec))
    }

    pub fn window(mut self, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        self.0.spec.window = WindowSpec::new(start, end);
        self
    }

    pub fn secret(mut self, name: &str, key: &str) -> Self {
        self.0.spec.token_secret_ref = SecretKeyRef { name: name.to_owned(), key: key.to_owned() };
        self
    }

    pub fn suspended(mut self) -> Self {
        self.0.spec.suspend = true;
        self
    }

    pub fn v2(mut self) -> Self {
        self.0.spec.target.konnect_api_version = KonnectApiVersion::V2;
        self
    }

    pub fn v3(mut self) -> Self {
        self.0.spec.target.konnect_api_version = KonnectApiVersion::V3;
        self
    }

    pub fn ignoring_the_webhook(mut self) -> Self {
        self.0.spec.webhook_policy = WebhookPolicy::Ignore;
        self
    }

    /// Any other field of the spec.
    pub fn spec(mut self, change: impl FnOnce(&mut AuditLogReplayJobSpec)) -> Self {
        change(&mut self.0.spec);
        self
    }

    pub fn build(self) -> AuditLogReplayJob {
        self.0
    }
}

/// The reason of `Ready`: the state in one word.
pub fn ready_reason(job: &AuditLogReplayJob) -> String {
    condition(job, &ConditionType::Ready).map(|c| c.reason.clone()).unwrap_or_default()
}

/// A condition of an object.
pub fn condition<'a>(job: &'a AuditLogReplayJob, type_: &ConditionType) -> Option<&'a Condition> {
    job.status.as_ref()?.conditions.iter().find(|c| c.type_ == *type_)
}

/// Whether a condition is `True`.
pub fn is_true(job: &AuditLogReplayJob, type_: &ConditionType) -> bool {
    condition(job, type_).is_some_and(|c| c.status == ConditionStatus::True)
}
