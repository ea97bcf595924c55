//! Objects, jobs at Konnect and answers, built so that a test reads as a sentence.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, DuplicatePolicy, ExpiryPolicy,
    KonnectApiVersion, KonnectJob, Scope, SecretKeyRef, Submission, SubmissionState, Target, TimeRange, WebhookPolicy,
    WindowSpec,
};
use crate::konnect::{ApiError, CallError, RemoteJob, RemoteStatus};
use crate::replay::{Policy, Serialize};

pub(super) const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";
/// When every story begins. Not on a whole second, as no real clock is.
pub(super) const NOW: &str = "2026-11-21T12:00:00.250Z";

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

pub(super) fn range(start: &str, end: &str) -> TimeRange {
    TimeRange { start_at: at(start), end_at: at(end) }
}

/// The window of [`job`].
pub(super) fn our_window() -> TimeRange {
    range("2026-11-20T08:00:00Z", "2026-11-20T11:30:00Z")
}

/// Somebody else's.
pub(super) fn their_window() -> TimeRange {
    range("2026-11-19T00:00:00Z", "2026-11-19T01:00:00Z")
}

pub(super) fn policy() -> Policy {
    Policy {
        konnect_url: "https://{region}.api.konghq.com".parse().unwrap(),
        regions: vec!["eu".to_owned(), "us".to_owned()],
        serialize: Serialize::Region,
        poll_interval: secs(15),
        retry_interval: secs(60),
        retention: secs(168 * 3600),
        ingest_delay: secs(60),
        get_lag: secs(30),
        backoff_base: secs(60),
        request_timeout: secs(30),
    }
}

/// An object as a user has just created it.
pub(super) fn job() -> JobBuilder {
    let mut job = AuditLogReplayJob::new(
        "siem-outage",
        AuditLogReplayJobSpec::new(
            Target {
                region: "eu".to_owned(),
                scope: Scope::Portal,
                portal_id: Some(PORTAL.to_owned()),
                konnect_api_version: KonnectApiVersion::default(),
            },
            WindowSpec::new(our_window().start_at, our_window().end_at),
            SecretKeyRef { name: "konnect-token".to_owned(), key: "token".to_owned() },
        ),
    );
    job.metadata.namespace = Some("audit".to_owned());
    job.metadata.generation = Some(1);
    job.status = Some(AuditLogReplayJobStatus::default());
    JobBuilder(job)
}

#[derive(Clone)]
pub(super) struct JobBuilder(AuditLogReplayJob);

impl JobBuilder {
    pub(super) fn window(mut self, start: &str, end: &str) -> Self {
        self.0.spec.window = WindowSpec { start_at: start.to_owned(), end_at: end.to_owned() };
        self
    }

    pub(super) fn suspended(mut self) -> Self {
        self.0.spec.suspend = true;
        self
    }

    pub(super) fn ignoring_the_webhook(mut self) -> Self {
        self.0.spec.webhook_policy = WebhookPolicy::Ignore;
        self
    }

    pub(super) fn in_region(mut self, region: &str) -> Self {
        self.0.spec.target.region = region.to_owned();
        self
    }

    pub(super) fn for_the_organization(mut self) -> Self {
        self.0.spec.target.scope = Scope::Organization;
        self.0.spec.target.portal_id = None;
        self
    }

    pub(super) fn for_portal(mut self, id: Option<&str>) -> Self {
        self.0.spec.target.portal_id = id.map(str::to_owned);
        self
    }

    /// As an earlier process left it: recorded, and perhaps sent.
    pub(super) fn intended(self) -> Self {
        self.with_submission(SubmissionState::Intended)
    }

    /// As an earlier process left it: taken by Konnect.
    pub(super) fn submitted(self) -> Self {
        self.with_submission(SubmissionState::Accepted)
    }

    /// As an earlier process left it: following a run that it did not start.
    pub(super) fn adopted(self) -> Self {
        self.with_submission(SubmissionState::Adopted)
    }

    /// As an earlier process last read its run.
    pub(super) fn last_read_as(mut self, word: &str) -> Self {
        self.0.status.as_mut().unwrap().submission.as_mut().unwrap().last_read = Some(word.to_owned().into());
        self
    }

    /// With a change to its spec.
    pub(super) fn with(mut self, change: impl FnOnce(&mut AuditLogReplayJobSpec)) -> Self {
        change(&mut self.0.spec);
        self
    }

    /// Sends the window whatever was replayed before.
    pub(super) fn replaying(self) -> Self {
        self.with(|spec| spec.duplicate_policy = DuplicatePolicy::Replay)
    }

    /// Sends what is left of the window.
    pub(super) fn clamping(self) -> Self {
        self.with(|spec| spec.expiry_policy = ExpiryPolicy::Clamp)
    }

    pub(super) fn with_submission(mut self, state: SubmissionState) -> Self {
        let taken = state == SubmissionState::Accepted;
        let under_way = taken || state == SubmissionState::Adopted;
        let time = at("2026-11-21T11:00:00Z");
        let previous = if state == SubmissionState::Adopted { ours("running") } else { theirs("completed") };
        let status = self.0.status.as_mut().unwrap();
        status.observed_generation = 1;
        status.attempts = u32::from(taken);
        status.submission = Some(Box::new(Submission {
            id: "written-by-another".to_owned(),
            attempt: 1,
            state,
            window: our_window(),
            intent_time: time,
            accepted_time: under_way.then_some(time),
            accepted: taken.then(|| kept(&ours("accepted"))),
            last_read: None,
            end_time: None,
            webhook: None,
            previous: Some(kept(&previous)),
        }));
        self
    }

    pub(super) fn build(self) -> AuditLogReplayJob {
        self.0
    }
}

fn kept(job: &RemoteJob) -> KonnectJob {
    KonnectJob {
        status: job.status.clone(),
        start_at: job.start_at,
        end_at: job.end_at,
        updated_at: job.updated_at,
        observed_time: at("2026-11-21T11:00:00Z"),
    }
}

/// A job at Konnect.
pub(super) fn remote(status: &str, window: TimeRange, updated: &str) -> RemoteJob {
    RemoteJob {
        status: RemoteStatus::from(status.to_owned()),
        start_at: Some(window.start_at),
        end_at: Some(window.end_at),
        updated_at: Some(at(updated)),
    }
}

/// A run of the window of [`job`].
pub(super) fn ours(status: &str) -> RemoteJob {
    remote(status, our_window(), "2026-11-21T12:00:05Z")
}

/// A run of another window.
pub(super) fn theirs(status: &str) -> RemoteJob {
    remote(status, their_window(), "2026-11-20T00:00:00Z")
}

/// A run of yet another window.
pub(super) fn strangers(status: &str) -> RemoteJob {
    remote(status, range("2026-11-18T00:00:00Z", "2026-11-18T06:00:00Z"), "2026-11-21T12:00:07Z")
}

/// What Konnect answers where no job was ever set up.
pub(super) fn unconfigured() -> RemoteJob {
    RemoteJob { status: RemoteStatus::Unconfigured, start_at: None, end_at: None, updated_at: None }
}

/// An error answer.
pub(super) fn api(status: u16) -> CallError {
    CallError::Api(ApiError { status, ..ApiError::default() })
}

/// A 429.
pub(super) fn slow_down(retry_after: Option<u64>) -> CallError {
    CallError::Api(ApiError { status: 429, retry_after: retry_after.map(secs), ..ApiError::default() })
}

pub(super) fn no_connection() -> CallError {
    CallError::NotConnected("connection refused".to_owned())
}

pub(super) fn no_answer() -> CallError {
    CallError::NoAnswer("the time allowed for the call was over".to_owned())
}

pub(super) fn html() -> CallError {
    CallError::Unreadable { status: 200, why: "the body is not a JSON object".to_owned() }
}
