//! What the operator answers. Written by the operator alone, always whole, always with a resourceVersion precondition.
//!
//! Words are open enums and times are parsed leniently by chrono, so that objects in flight survive an upgrade and a rollback.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::condition::Condition;
use crate::konnect::model::RemoteStatus;
use crate::open_enum::open_enum;

/// `status.observedGeneration` before our first visit (the schema's default), so that kstatus says `InProgress` and never
/// mistakes an object that nobody has looked at for one that is done.
pub const UNOBSERVED_GENERATION: i64 = -1;

/// What became of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct AuditLogReplayJobStatus {
    /// The generation of the object that this status speaks of; -1 before the operator's first visit.
    pub observed_generation: i64,
    /// The state in the form that kubectl, Flux and Argo CD read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The version of Konnect's API under which Konnect knows the target, found where `target.konnectAPIVersion` is `Auto`. All calls
    /// for this object use it from then on.
    #[serde(
        rename = "konnectAPIVersion",
        deserialize_with = "version_if_known",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>", length(max = 64))]
    pub konnect_api_version: Option<ApiVersion>,
    /// Konnect's replay job, as last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub konnect: Option<KonnectJob>,
    /// The window that is sent, or will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<PlannedWindow>,
    /// The write-ahead record of the request to Konnect: written before it is sent.
    // In a box: it is half of the status, and nothing where the object is kept as finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission: Option<Box<Submission>>,
    /// What went wrong with earlier submissions, and when the next one may be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// When a replay of this object's was first seen to be under way: Konnect accepted one, or a run that was under way already was
    /// adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<DateTime<Utc>>,
    /// When the operator saw that the replay had completed. Only on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<DateTime<Utc>>,
    /// When the job was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_time: Option<DateTime<Utc>>,
    /// For how long `spec.suspend` has stopped the deadline that counts now: the one for starting until `startTime`, the other after.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub suspended_seconds: u32,
    /// How many replays Konnect accepted for this object.
    #[schemars(range(min = 0))]
    pub attempts: u32,
    /// How often Konnect answered that another replay was under way (409). May lag behind by a minute.
    #[schemars(range(min = 0))]
    pub conflicts: u32,
    /// When Konnect last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_conflict_time: Option<DateTime<Utc>>,
    /// What the job waits for: the name of another object of this namespace, `other` for one of another namespace, or `external`
    /// for a replay at Konnect that no object here asked for. Give no object one of these two words as its name: it could not be
    /// told from them here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub blocked_by: Option<String>,
    /// The webhook that the replay goes to, as Konnect described it before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookEvidence>,
}

impl Default for AuditLogReplayJobStatus {
    fn default() -> Self {
        Self {
            observed_generation: UNOBSERVED_GENERATION,
            conditions: Vec::new(),
            konnect_api_version: None,
            konnect: None,
            window: None,
            submission: None,
            retries: None,
            start_time: None,
            completion_time: None,
            failed_time: None,
            suspended_seconds: 0,
            attempts: 0,
            conflicts: 0,
            last_conflict_time: None,
            blocked_by: None,
            webhook: None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A version in the path of Konnect's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ApiVersion {
    /// `v2`.
    V2,
    /// `v3`.
    V3,
}

impl ApiVersion {
    /// As it stands in a path, and in an object.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// The other version.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::V2 => Self::V3,
            Self::V3 => Self::V2,
        }
    }
}

/// A version that a later operator may have written counts as none: it is found again by asking, and the object stays readable.
fn version_if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ApiVersion>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    Ok(word.and_then(|word| [ApiVersion::V2, ApiVersion::V3].into_iter().find(|version| version.as_str() == word)))
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct TimeRange {
    /// First instant.
    pub start_at: DateTime<Utc>,
    /// Last instant.
    pub end_at: DateTime<Utc>,
}

/// Konnect's replay job, as it was last read; words and times are Konnect's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct KonnectJob {
    /// Konnect's word: unconfigured, accepted, pending, running, completed, failed, or one yet to come.
    pub status: RemoteStatus,
    /// Start of Konnect's window; absent where Konnect gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<DateTime<Utc>>,
    /// End of Konnect's window; absent where Konnect gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<DateTime<Utc>>,
    /// When Konnect says the job last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When the operator read this. Not moved by readings that found the same.
    pub observed_time: DateTime<Utc>,
}

/// The window as it is or will be sent: whole seconds, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct PlannedWindow {
    /// First instant.
    pub start_at: DateTime<Utc>,
    /// Last instant.
    pub end_at: DateTime<Utc>,
    /// When Konnect begins to delete the events of this window.
    pub expires_at: DateTime<Utc>,
    /// Whether it begins later than was asked for, because Konnect had deleted what came before (`expiryPolicy: Clamp`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clamped: bool,
}

/// What went wrong with earlier submissions of this object. Counters, so that the status does not grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Retries {
    /// Runs that Konnect reported as failed. `spec.backoffLimit` bounds how many are followed by another try.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failed: u32,
    /// Submissions in whose place Konnect showed another job, or none, before their end was seen.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub superseded: u32,
    /// Runs that were running when last read and had ended, in an unknown way, when Konnect was read again.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ended_unseen: u32,
    /// Requests whose answer was lost (5xx, time-out, restart), and that Konnect did not take, by a later reading. The wait before the
    /// next request grows with each.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub not_taken: u32,
    /// Requests that Konnect answered with success (2xx) without ever showing a replay job of them. After the third the job is given
    /// up.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub not_shown: u32,
    /// When the window may be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_time: Option<DateTime<Utc>>,
    /// The annotation `konnect-replay.dev/requested-at` when that was decided: another value ends the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub requested_at: Option<String>,
}

impl Retries {
    /// Whether any of the earlier submissions may have begun a run.
    pub fn tell_of_a_run(&self) -> bool {
        let Self { failed, superseded, ended_unseen, not_shown, not_taken: _, next_time: _, requested_at: _ } = self;
        [failed, superseded, ended_unseen, not_shown].into_iter().any(|count| *count > 0)
    }
}

open_enum! {
    /// How far a submission has come.
    pub enum SubmissionState {
        /// Recorded before it was sent. Whether Konnect took it is not known from this record.
        Intended => "Intended",
        /// Konnect took it.
        Accepted => "Accepted",
        /// Not sent: a run of this very window was already under way at Konnect.
        Adopted => "Adopted",
        /// Over: its outcome was in doubt, and Konnect was read not to have taken it.
        NotTaken => "NotTaken",
        /// Over: Konnect answered it with success (2xx), and never showed a job of it.
        NotShown => "NotShown",
        /// Over: Konnect reported `failed`.
        Failed => "Failed",
        /// Over: Konnect showed another job in its place, or none, before its end was seen.
        Superseded => "Superseded",
        /// Over: it was running when last read, and had ended when Konnect was asked again.
        EndedUnseen => "EndedUnseen",
    }
}

impl SubmissionState {
    /// Whether nothing more can become of it, so that its run needs neither lane nor target.
    pub fn is_over(&self) -> bool {
        match self {
            Self::NotTaken | Self::NotShown | Self::Failed | Self::Superseded | Self::EndedUnseen => true,
            Self::Intended | Self::Accepted | Self::Adopted | Self::Unknown(_) => false,
        }
    }
}

/// The write-ahead record of one request to Konnect (design: a request is recorded before it is sent, so that whoever comes
/// after a crash knows what may be under way).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Submission {
    /// Random: tells the process that wrote it that its write landed.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Which try this is, from 1; a try that Konnect certainly refused does not count.
    #[schemars(range(min = 0))]
    pub attempt: u32,
    /// How far it has come.
    pub state: SubmissionState,
    /// Exactly what is sent. Konnect's job is recognised by it, or by the window of `accepted`, which Konnect may have rounded.
    pub window: TimeRange,
    /// When this was recorded.
    pub intent_time: DateTime<Utc>,
    /// When Konnect accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_time: Option<DateTime<Utc>>,
    /// Konnect's answer to the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<KonnectJob>,
    /// Konnect's status of this run when it was last read; absent until a reading has shown it. A run that was seen was accepted, also if
    /// a later reading does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_read: Option<RemoteStatus>,
    /// When it was found to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<DateTime<Utc>>,
    /// The webhook as Konnect described it just before; absent if the operator did not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookEvidence>,
    /// Konnect's job just before: a later reading equal to it proves nothing about ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<KonnectJob>,
}

/// `status.blockedBy` of a job that waits for an object of another namespace: such objects are not named.
pub const BLOCKED_BY_OTHER: &str = "other";
/// `status.blockedBy` of a job that waits for a replay at Konnect that no object here asked for.
pub const BLOCKED_EXTERNALLY: &str = "external";

/// The webhook as Konnect described it: evidence for an auditor, before and after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct WebhookEvidence {
    /// Whether the webhook was switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Konnect's word: active, inactive, unconfigured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub status: Option<String>,
    /// Konnect's id of the destination. Of an organisation in v2 of the API, which has none, a UUID (version 5) of its endpoint.
    #[serde(default, rename = "destinationID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub destination_id: Option<String>,
    /// When Konnect last delivered, or tried to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_time: Option<DateTime<Utc>>,
    /// What the receiver answered then (an HTTP status).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_response_code: Option<i32>,
}
