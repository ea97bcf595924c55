//! Which Event follows from which change: a pure function of the status before and after a write, of what a request was answered,
//! and of the clock. Nothing is published here, and no decision depends on it.
//!
//! Events come with transitions, never with polls. They repeat what the conditions say, for whoever watches a namespace, and have
//! one thing that no condition may have: Konnect's trace id, which is new in every answer.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::{
    AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, Submission, SubmissionState,
};
use crate::konnect::{CallError, time};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::policy::{LIMIT_MARGIN, LONGEST_WAIT};
use crate::replay::facts::said;
use crate::replay::facts::window::delta;

/// Longest note of an Event, in bytes: the API server refuses longer ones.
const MAX_NOTE_BYTES: usize = 1024;
/// How far apart Events about one object's conflicts are at least.
const CONFLICT_SPACING: Duration = Duration::from_mins(10);

macro_rules! event_reasons {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ident,)*) => {
        /// Why an Event: a stable API. Where a condition's reason says the same, it is the same word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventReason {
            $($(#[doc = $doc])* $name,)*
        }

        impl EventReason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Whether somebody should look.
            pub const fn kind(self) -> EventKind {
                match self { $(Self::$name => EventKind::$kind,)* }
            }

            /// What it means, for the reference: what stands at its definition.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_start(),)* }
            }
        }
    };
}

/// The two types of Events that Kubernetes knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// As it should go.
    Normal,
    /// It needs attention.
    Warning,
}

impl EventKind {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

event_reasons! {
    /// Another object goes first, or what this one needs has failed for another object.
    Queued: Normal,
    /// Konnect has another replay under way.
    Conflict: Normal,
    /// Konnect accepted the replay.
    Submitted: Normal,
    /// A run of this very window was under way already, and is followed.
    Adopted: Normal,
    /// Konnect is sending the events.
    Running: Normal,
    /// Konnect reported `completed`.
    Completed: Normal,
    /// A record shows the window delivered before; nothing was sent.
    AlreadyReplayed: Normal,
    /// Konnect reported `failed`; there is another try.
    RemoteFailed: Warning,
    /// Konnect shows another job, or none, where this one was.
    Superseded: Warning,
    /// The run ended unseen or could not be read until its window had expired, or Konnect answered a request with success and never showed a
    /// run.
    RemoteStateUnknown: Warning,
    /// The answer to a request was lost, and Konnect did not take the request; there is another try.
    NotTaken: Warning,
    /// Konnect begins to delete the events of the window within 24 h, or within 6 h, and no replay of it is under way.
    WindowExpiringSoon: Warning,
    /// Konnect has begun to delete them: given up. Normal where that was so before the object was made.
    WindowExpired: Warning,
    /// Too many runs failed: given up.
    BackoffLimitExceeded: Warning,
    /// Not completed in time: given up.
    DeadlineExceeded: Warning,
    /// Not begun in time: given up.
    StartingDeadlineExceeded: Warning,
    /// Konnect has no webhook for the target, or it is switched off.
    WebhookDisabled: Warning,
    /// The webhook's last delivery failed.
    WebhookInactive: Warning,
    /// Konnect refused the token (401).
    Unauthorized: Warning,
    /// The token may not replay (403).
    Forbidden: Warning,
    /// The Secret does not exist, or may not be read.
    SecretNotFound: Warning,
    /// The Secret has no such key.
    SecretKeyMissing: Warning,
    /// The Secret's value cannot be a token.
    InvalidToken: Warning,
    /// Konnect does not know the portal (404).
    PortalNotFound: Warning,
    /// The installer does not allow this region.
    RegionNotAllowed: Warning,
    /// The window cannot be replayed as written.
    InvalidWindow: Warning,
    /// The request is not acceptable, here or at Konnect (400).
    InvalidRequest: Warning,
}

impl EventReason {
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|reason| reason.as_str() == word).copied()
    }

    /// Whether it follows from what Konnect answered, so that the trace id of that answer helps Kong's support.
    fn is_an_answer(self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Unauthorized | Self::Forbidden | Self::PortalNotFound | Self::InvalidRequest
        )
    }
}

/// One Event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Why.
    pub reason: EventReason,
    /// Whether it needs attention.
    pub kind: EventKind,
    /// What happened, for people: never a token, never a raw body, at most 1,024 bytes.
    pub note: String,
    /// Tells it from all other Events about the same object, also after a restart: an Event that is published twice is one.
    pub key: String,
}

impl Event {
    fn new(reason: EventReason, message: &str, trace_id: Option<&str>, key: &str) -> Self {
        let trace = trace_id.filter(|_| reason.is_an_answer());
        let trace = trace.map(|id| format!(" (Konnect trace {})", cut(id, 128))).unwrap_or_default();
        let note = format!("{}{trace}", cut(message, MAX_NOTE_BYTES - trace.len()));
        Self { reason, kind: reason.kind(), note, key: format!("{}-{key}", reason.as_str().to_ascii_lowercase()) }
    }

    /// Of an object that was made for a window that was gone already, the end is no news to anybody.
    fn without_alarm(self) -> Self {
        let expired = self.reason == EventReason::WindowExpired;
        Self { kind: if expired { EventKind::Normal } else { self.kind }, ..self }
    }
}

fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes - '…'.len_utf8());
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// How near the end of retention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Day,
    SixHours,
}

impl Nearness {
    const ALL: [Self; 2] = [Self::Day, Self::SixHours];

    fn hours(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::SixHours => 6,
        }
    }

    fn of(left: TimeDelta) -> Option<Self> {
        let within = |nearness: &&Self| left > TimeDelta::zero() && left <= TimeDelta::hours(nearness.hours());
        Self::ALL.iter().rev().find(within).copied()
    }
}

/// What this process has announced of an object. It can be lost at any moment: keys keep what is said again from being a second
/// Event while the first is still there, and the status tells when the last conflict was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announcer {
    conflict: Option<Duration>,
    nearness: Option<Nearness>,
}

impl Announcer {
    /// What follows from a write of the status, which left the object as `job`.
    pub fn written(
        &mut self,
        before: &AuditLogReplayJobStatus,
        job: &AuditLogReplayJob,
        trace_id: Option<&str>,
        clock: Clock,
    ) -> Vec<Event> {
        let after = job.status.clone().unwrap_or_default();
        let version = job.metadata.resource_version.as_deref().unwrap_or_default();
        let change = Change { before, after: &after };
        let blocked = change.blocked().filter(|_| self.may_tell_of_conflict(before, clock));
        let facts = [change.credentials(), change.webhook(), change.submission(), change.way(), change.end(), blocked];
        let facts = facts.into_iter().flatten();
        let event = |(reason, message)| Event::new(reason, message, trace_id, version);
        facts.map(event).map(|event| if came_too_late(job) { event.without_alarm() } else { event }).collect()
    }

    /// What follows from Konnect's refusal of the request `id`.
    pub fn refused(
        &mut self,
        status: &AuditLogReplayJobStatus,
        id: &str,
        error: &CallError,
        clock: Clock,
    ) -> Option<Event> {
        if error.status() != Some(409) || !self.may_tell_of_conflict(status, clock) {
            return None;
        }
        let message =
            format!("{error}. Another replay is under way at Konnect; this window is sent when that is over.");
        Some(Event::new(EventReason::Conflict, &message, error.trace_id(), id))
    }

    /// What follows from the time, for an object that waits.
    pub fn waiting(&mut self, job: &AuditLogReplayJob, clock: Clock) -> Option<Event> {
        let (expires, status) = (waits_until(job)?, job.status.as_ref()?);
        let nearness = Nearness::of(expires - clock.wall)?;
        if self.nearness >= Some(nearness) {
            return None;
        }
        self.nearness = Some(nearness);
        let hours = nearness.hours();
        let why = message(status);
        let message = format!(
            "Konnect begins to delete the events of this window at {}, which is less than {hours} h from now, and no replay of it is \
             under way: {why}",
            time::format(expires)
        );
        Some(Event::new(EventReason::WindowExpiringSoon, &message, None, &format!("{hours}h")))
    }

    fn may_tell_of_conflict(&mut self, before: &AuditLogReplayJobStatus, clock: Clock) -> bool {
        // A process that has just begun takes a recorded conflict for a published one.
        let on_record = || before.last_conflict_time.and_then(|last| (clock.wall - last).to_std().ok());
        let since = self.conflict.map(|told| clock.mono.saturating_sub(told)).or_else(on_record);
        let may = since.is_none_or(|since| since >= CONFLICT_SPACING);
        if may {
            self.conflict = Some(clock.mono);
        }
        may
    }
}

/// When an object that waits for a change is to be looked at again all the same: when the end of retention comes near, and when it
/// has come, so that a suspended object is reported then too.
pub fn look_again(job: &AuditLogReplayJob, now: DateTime<Utc>) -> Option<Duration> {
    let expires = waits_until(job)?;
    let near = Nearness::ALL.iter().map(|nearness| expires - TimeDelta::hours(nearness.hours()));
    let moments = near.chain([expires + delta(LIMIT_MARGIN)]);
    let next = moments.filter(|moment| *moment > now).min()?;
    (next - now).to_std().ok().map(|left| left.min(LONGEST_WAIT))
}

/// When the window of an object without a run under way begins to be deleted.
fn waits_until(job: &AuditLogReplayJob) -> Option<DateTime<Utc>> {
    let status = job.status.as_ref().filter(|_| job.metadata.deletion_timestamp.is_none())?;
    let under_way = |s: &Submission| matches!(s.state, SubmissionState::Accepted | SubmissionState::Adopted);
    if said::is_finished(status) || status.submission.as_deref().is_some_and(under_way) {
        return None;
    }
    status.window.as_ref().map(|window| window.expires_at)
}

/// Whether Konnect had begun to delete the events of the window before the object was created: an old manifest was applied again,
/// or a backup restored. Nothing was lost by waiting, so this is no alarm.
pub fn came_too_late(job: &AuditLogReplayJob) -> bool {
    let created = job.metadata.creation_timestamp.as_ref().map(crate::api::from_kube_time);
    let window = job.status.as_ref().and_then(|status| status.window.as_ref());
    created.zip(window).is_some_and(|(created, window)| !window.clamped && window.expires_at <= created)
}

/// A reason, and the message to tell with it.
type Told<'a> = (EventReason, &'a str);

/// The status before a write and after it.
struct Change<'a> {
    before: &'a AuditLogReplayJobStatus,
    after: &'a AuditLogReplayJobStatus,
}

impl<'a> Change<'a> {
    /// The token cannot be used, or not for this.
    fn credentials(&self) -> Option<Told<'a>> {
        let now = self.news(&ConditionType::CredentialsValid).filter(|c| c.status == ConditionStatus::False)?;
        told(now)
    }

    /// There is no webhook to replay to, or it does not work.
    fn webhook(&self) -> Option<Told<'a>> {
        let (reason, message) = told(self.news(&ConditionType::WebhookReady)?)?;
        matches!(reason, EventReason::WebhookDisabled | EventReason::WebhookInactive).then_some((reason, message))
    }

    /// What became of the request.
    fn submission(&self) -> Option<Told<'a>> {
        let now = self.after.submission.as_ref()?;
        let before = self.before.submission.as_ref().filter(|before| before.id == now.id);
        let reason = match &now.state {
            state if before.is_some_and(|before| before.state == *state) => return None,
            // There was an Event for a run that was lost from view and is found again.
            SubmissionState::Accepted | SubmissionState::Adopted if before.is_some_and(|b| b.state.is_over()) => {
                return None;
            }
            SubmissionState::Accepted => EventReason::Submitted,
            SubmissionState::Adopted => EventReason::Adopted,
            _ if said::is_finished(self.after) => return None,
            SubmissionState::Failed => EventReason::RemoteFailed,
            SubmissionState::Superseded => EventReason::Superseded,
            SubmissionState::EndedUnseen | SubmissionState::NotShown => EventReason::RemoteStateUnknown,
            SubmissionState::NotTaken => EventReason::NotTaken,
            SubmissionState::Intended | SubmissionState::Unknown(_) => return None,
        };
        Some((reason, message(self.after)))
    }

    /// How the job continues.
    fn way(&self) -> Option<Told<'a>> {
        if said::is_finished(self.after) {
            return None;
        }
        let (reason, message) = told(self.news(&ConditionType::Ready)?)?;
        let own = matches!(
            reason,
            EventReason::Queued
                | EventReason::Running
                | EventReason::PortalNotFound
                | EventReason::RegionNotAllowed
                | EventReason::InvalidWindow
                | EventReason::InvalidRequest
        );
        own.then_some((reason, message))
    }

    /// Another party's run is under way at Konnect.
    fn blocked(&self) -> Option<Told<'a>> {
        let ready = self.news(&ConditionType::Ready)?;
        let blocked = ready.reason == crate::api::Reason::BlockedByRemoteJob.as_str();
        blocked.then_some((EventReason::Conflict, ready.message.as_str()))
    }

    /// The end.
    fn end(&self) -> Option<Told<'a>> {
        let over = |type_| self.news(type_).filter(|c: &&Condition| c.status == ConditionStatus::True);
        if let Some(failed) = over(&ConditionType::Failed) {
            return told(failed);
        }
        let complete = over(&ConditionType::Complete)?;
        let skipped = complete.reason == EventReason::AlreadyReplayed.as_str();
        let reason = if skipped { EventReason::AlreadyReplayed } else { EventReason::Completed };
        Some((reason, complete.message.as_str()))
    }

    /// A condition that did not stand there with this status and reason before.
    fn news(&self, type_: &ConditionType) -> Option<&'a Condition> {
        let now = find(self.after, type_)?;
        let before = find(self.before, type_).map(|c| (c.status, &c.reason));
        (before != Some((now.status, &now.reason))).then_some(now)
    }
}

fn told(condition: &Condition) -> Option<Told<'_>> {
    Some((EventReason::from_word(&condition.reason)?, condition.message.as_str()))
}

fn message(status: &AuditLogReplayJobStatus) -> &str {
    find(status, &ConditionType::Ready).map(|ready| ready.message.as_str()).unwrap_or_default()
}

fn find<'a>(status: &'a AuditLogReplayJobStatus, type_: &ConditionType) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == *type_)
}
