//! Everything that is known when [`crate::replay::decide::next`] is asked.

use std::borrow::Cow;
use std::time::Duration;

use crate::api::{ApiVersion, AuditLogReplayJob, AuditLogReplayJobStatus, Submission};
use crate::konnect::{CallError, Reading, RemoteJob, Webhook, WebhookStatus};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::job::Spec;
use crate::replay::facts::memory::{Memory, Progress, PutAnswer, requested};
use crate::replay::facts::policy::{MAX_READING_AGE, Policy};
use crate::replay::facts::sibling::Sibling;
use crate::replay::facts::token::TokenProblem;
use crate::replay::facts::version::VersionChoice;
use crate::replay::scheduler::Turn;

/// Randomness, drawn by the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// From 0 to 1, to spread waits.
    pub jitter: f64,
    /// A fresh id for a submission.
    pub submission_id: String,
}

/// Something learned, and when: just before the call that brought it was made, so that its age is never underestimated.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<T> {
    /// When.
    pub at: Clock,
    /// What.
    pub what: T,
}

/// What the two webhook endpoints said.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookReading {
    /// The configuration.
    pub config: Result<Webhook, CallError>,
    /// What Konnect knows of its deliveries; evidence only, so that its failure never holds anything up.
    pub status: Option<WebhookStatus>,
}

impl WebhookReading {
    /// Whether the webhook is switched on. Konnect tells it in two places, and both count.
    pub(crate) fn is_on(&self) -> bool {
        let is_off = self.status.as_ref().is_some_and(|status| status.webhook_enabled == Some(false));
        self.config.as_ref().is_ok_and(|config| config.enabled == Some(true)) && !is_off
    }
}

/// What this pass has learned so far; absent until asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// Whether it is our turn.
    pub turn: Option<Turn>,
    /// Whether there is a token. Its value stays with the driver.
    pub token: Option<Result<(), TokenProblem>>,
    /// The webhook.
    pub webhook: Option<Seen<WebhookReading>>,
    /// Konnect's replay job.
    pub remote: Option<Seen<Result<Reading<RemoteJob>, CallError>>>,
    /// Konnect's replay job under the other version of its API.
    pub other_version: Option<Result<Reading<RemoteJob>, CallError>>,
    /// The Complete objects of the same namespace.
    pub siblings: Option<Vec<Sibling>>,
    /// Whether the API server dropped something of a status of this pass that limits how often a window is sent.
    pub unstored: bool,
}

impl Learned {
    /// Takes note that Konnect is asked under another version of its API from now on: what it said under the one before says
    /// nothing of this one.
    pub fn forget_konnect(&mut self) {
        (self.webhook, self.remote, self.other_version) = (None, None, None);
    }
}

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// Now. Refreshed before every call.
    pub clock: Clock,
    /// The installer's settings.
    pub policy: &'a Policy,
    /// The object, as last read or as our last write left it.
    pub job: &'a AuditLogReplayJob,
    /// Its spec, parsed.
    pub spec: &'a Spec,
    /// What this pass has learned.
    pub learned: &'a Learned,
    /// What this process remembers of earlier passes over this object.
    pub memory: &'a Memory,
    /// Randomness.
    pub draw: &'a Draw,
}

impl Observed<'_> {
    /// The status as it stands; the default where nobody has written one.
    pub(crate) fn status(&self) -> Cow<'_, AuditLogReplayJobStatus> {
        self.job.status.as_ref().map_or_else(Cow::default, Cow::Borrowed)
    }

    pub(crate) fn submission(&self) -> Option<&Submission> {
        self.job.status.as_ref()?.submission.as_deref()
    }

    /// What the annotation says by which a user asks to try now.
    pub(crate) fn requested(&self) -> Option<String> {
        requested(self.job)
    }

    pub(crate) fn generation(&self) -> i64 {
        self.job.metadata.generation.unwrap_or_default()
    }

    /// Konnect's job, if it was read in this pass so lately that a PUT may be based on it.
    pub(crate) fn fresh_remote(&self) -> Option<&Reading<RemoteJob>> {
        let seen = self.learned.remote.as_ref()?;
        let backwards = self.clock.wall < seen.at.wall;
        if backwards || self.clock.since(seen.at) > MAX_READING_AGE {
            return None;
        }
        seen.what.as_ref().ok()
    }

    /// Whether Konnect certainly refused the standing submission.
    pub(crate) fn was_refused(&self) -> bool {
        let progress = self.submission().map(|s| self.memory.progress(&s.id));
        matches!(progress, Some(Progress::Answered(_, PutAnswer::Refused(_))))
    }

    /// How long this process has known the standing submission. No two clocks are compared: what another process wrote into
    /// the record does not count.
    pub(crate) fn submission_age(&self) -> Duration {
        self.submission_age_at(self.clock)
    }

    /// How long it had known it at some moment of this process.
    pub(crate) fn submission_age_at(&self, at: Clock) -> Duration {
        let known = self.submission().and_then(|s| self.memory.first_seen(&s.id));
        known.map_or(Duration::ZERO, |first| at.mono.saturating_sub(first))
    }

    /// The version to record, once Konnect has answered for the target under it.
    pub(crate) fn found_version(&self) -> Option<ApiVersion> {
        let choice = VersionChoice::of(self.job);
        let read = self.learned.remote.as_ref().is_some_and(|seen| seen.what.is_ok());
        (choice == VersionChoice::Open && read).then(|| choice.asked_first())
    }
}
