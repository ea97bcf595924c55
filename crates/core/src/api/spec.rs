//! What a user writes. Everything a schema or CEL can refuse is refused at admission, with a message that says what to do;
//! [`crate::replay::ValidatedJob`] checks the rest, and checks it all again, because a CRD can be older than the operator.

// The schema derive repeats each type inside a function of its own, where `pub` reaches nobody.
#![allow(unreachable_pub)]
// Print columns repeat their keys, one set for each column.
#![allow(clippy::duplicated_attributes)]

use chrono::{DateTime, Utc};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::AuditLogReplayJobStatus;
use super::words;

/// One replay of one window of Konnect audit logs to the webhook of one target.
#[derive(Clone, Debug, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[kube(
    group = "konnect-replay.dev",
    version = "v1alpha1",
    kind = "AuditLogReplayJob",
    plural = "auditlogreplayjobs",
    singular = "auditlogreplayjob",
    shortname = "alrj",
    category = "konnect",
    category = "audit",
    namespaced,
    status = "AuditLogReplayJobStatus",
    derive = "PartialEq",
    doc = "AuditLogReplayJob asks Kong Konnect to send one window of audit logs again, and records what became of it. It runs once: \
           to send another window, or the same one again, create another object.",
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "The state of the job in one word: the reason of its Ready condition."
    ),
    printcolumn(
        name = "Konnect",
        type_ = "string",
        json_path = ".status.konnect.status",
        description = "The status of the job at Konnect, in Konnect's word."
    ),
    printcolumn(
        name = "Region",
        type_ = "string",
        json_path = ".spec.target.region",
        description = "The Konnect region."
    ),
    printcolumn(
        name = "Start",
        type_ = "string",
        json_path = ".spec.window.startAt",
        description = "Start of the window that was asked for."
    ),
    printcolumn(
        name = "End",
        type_ = "string",
        json_path = ".spec.window.endAt",
        description = "End of the window that was asked for."
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".status.window.expiresAt",
        description = "When Konnect begins to delete the events of this window."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Portal",
        type_ = "string",
        json_path = ".spec.target.portalID",
        priority = 1,
        description = "The Dev Portal; empty for the organisation's own log."
    ),
    printcolumn(
        name = "Attempts",
        type_ = "integer",
        json_path = ".status.attempts",
        priority = 1,
        description = "How many replays Konnect accepted for this object."
    ),
    printcolumn(
        name = "Conflicts",
        type_ = "integer",
        json_path = ".status.conflicts",
        priority = 1,
        description = "How often Konnect answered that another replay was under way."
    ),
    printcolumn(
        name = "Blocked-By",
        type_ = "string",
        json_path = ".status.blockedBy",
        priority = 1,
        description = "What this job waits for: another object of this namespace, other, or external."
    ),
    printcolumn(
        name = "API-Version",
        type_ = "string",
        json_path = ".status.konnectAPIVersion",
        priority = 1,
        description = "The version of Konnect's API under which Konnect knows the target, where konnectAPIVersion is Auto."
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.target == oldSelf.target")
    .message("target cannot be changed: Konnect cannot move or take back a replay; create another AuditLogReplayJob for the other target")
    .field_path(".target"))]
#[x_kube(validation = Rule::new("self.window == oldSelf.window")
    .message("window cannot be changed: Konnect cannot change or take back a replay; create another AuditLogReplayJob for the other window")
    .field_path(".window"))]
pub struct AuditLogReplayJobSpec {
    /// Whose audit logs to replay. Cannot be changed.
    pub target: Target,
    /// Which events to send again. Cannot be changed.
    pub window: WindowSpec,
    /// Where the Konnect token is kept.
    pub token_secret_ref: SecretKeyRef,
    /// Holds back the next request to Konnect, never more: Konnect cannot stop a run, so a run under way is followed to
    /// its end and recorded.
    #[serde(default)]
    pub suspend: bool,
    /// Whether to look for an enabled webhook before a replay is spent: `RequireEnabled` waits until there is one, `Ignore` does
    /// not look.
    #[serde(default)]
    pub webhook_policy: WebhookPolicy,
    /// What to do if the window was replayed before: `Skip` ends the job without sending if the record of an `AuditLogReplayJob` of
    /// this namespace shows every second of it delivered to the destination of today; or if Konnect's last job of the target completed with
    /// all of it and the webhook's answer of then or later is a success. `Replay` sends it all the same, and adopts no run that is under way.
    #[serde(default)]
    pub duplicate_policy: DuplicatePolicy,
    /// What to do if Konnect has begun to delete the events of the window: `Fail` ends the job, `Clamp` sends what is left.
    #[serde(default)]
    pub expiry_policy: ExpiryPolicy,
    /// How often a run that Konnect reported as failed is followed by another try. Refusals, rate limits and outages do not count.
    #[serde(default = "default_backoff_limit")]
    #[schemars(range(min = 0, max = 100))]
    pub backoff_limit: u32,
    /// Seconds within which Konnect must have accepted a replay, from the creation of this object or the end of the window,
    /// whichever is later. Does not count while suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub starting_deadline_seconds: Option<u32>,
    /// Seconds within which the replay must have completed, retries included, from when it was first under way. Does not count
    /// while suspended, which a job is only while no run of it is under way. A run at Konnect continues all the same: Konnect cannot stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<u32>,
    /// Seconds after the end, good or bad, after which this object is deleted; unset keeps it. Not for objects that a tool
    /// applies from Git: it would create them again, and the window might be replayed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    #[x_kube(validation = Rule::new("self >= 60")
        .message(words::TIME_TO_LIVE))]
    pub ttl_seconds_after_finished: Option<u32>,
}

impl AuditLogReplayJobSpec {
    /// A spec with the defaults of the schema.
    pub fn new(target: Target, window: WindowSpec, token_secret_ref: SecretKeyRef) -> Self {
        Self {
            target,
            window,
            token_secret_ref,
            suspend: false,
            webhook_policy: WebhookPolicy::default(),
            duplicate_policy: DuplicatePolicy::default(),
            expiry_policy: ExpiryPolicy::default(),
            backoff_limit: default_backoff_limit(),
            starting_deadline_seconds: None,
            active_deadline_seconds: None,
            ttl_seconds_after_finished: None,
        }
    }
}

fn default_backoff_limit() -> u32 {
    6
}

/// Whose audit logs to replay.
#[derive(Clone, Debug, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
#[x_kube(validation = Rule::new("self.scope != 'Portal' || has(self.portalID)")
    .message(words::PORTAL_ID_REQUIRED)
    .field_path(".portalID"))]
#[x_kube(validation = Rule::new("self.scope != 'Organization' || !has(self.portalID)")
    .message(words::PORTAL_ID_FORBIDDEN)
    .field_path(".portalID"))]
pub struct Target {
    /// Two lower-case letters of a Konnect region, such as `eu`. The installer may allow fewer.
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]{2}$')")
        .message(words::REGION))]
    pub region: String,
    /// `Portal`: the log of one Dev Portal (authentication events). `Organization`: the organisation's own log.
    #[serde(default)]
    pub scope: Scope,
    /// The id of the Dev Portal. Required with scope Portal, not allowed with scope Organization.
    #[serde(default, rename = "portalID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')")
        .message(words::PORTAL_ID))]
    pub portal_id: Option<String>,
    /// The version in the path of Konnect's API. `Auto` asks v2, and v3 where v2 does not know the target, and keeps the one it
    /// found for the life of the object (`status.konnectAPIVersion`). `v2` and `v3` ask that version only.
    #[serde(default, rename = "konnectAPIVersion")]
    pub konnect_api_version: KonnectApiVersion,
}

/// Which log of the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Scope {
    /// One Dev Portal.
    #[default]
    Portal,
    /// The whole organisation.
    Organization,
}

/// Which version of Konnect's API to ask. The two are schema-identical for the replay job (docs/konnect-api.md 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum KonnectApiVersion {
    /// `v2`, and `v3` where v2 does not know the target.
    #[default]
    #[serde(rename = "Auto")]
    Auto,
    /// `v2`.
    V2,
    /// `v3`.
    V3,
}

/// Which events to send again: those from `startAt` to `endAt`.
///
/// The times are kept as text here, so that a malformed one (possible under an older CRD) becomes a condition of that object
/// and not an object nobody can read.
#[derive(Clone, Debug, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
#[x_kube(validation = Rule::new(words::of_times("timestamp(self.endAt) >= timestamp(self.startAt)"))
    .message(words::ORDER).field_path(".endAt"))]
#[x_kube(validation = Rule::new(words::of_times("timestamp(self.endAt) - timestamp(self.startAt) <= duration('168h')"))
    .message(words::LENGTH))]
#[x_kube(validation = Rule::new(words::of_times("timestamp(self.startAt) >= timestamp('2020-01-01T00:00:00Z') && timestamp(self.endAt) < timestamp('2100-01-01T00:00:00Z')"))
    .message(words::YEARS))]
pub struct WindowSpec {
    /// RFC 3339 with a zone, such as `2026-11-20T08:00:00Z`. Fractions of a second are rounded down.
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new(words::is_time())
        .message(words::TIME))]
    pub start_at: String,
    /// RFC 3339 with a zone, such as `2026-11-20T11:30:00Z`. Fractions of a second are rounded up. May be in the future; the job waits for it.
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new(words::is_time())
        .message(words::TIME))]
    pub end_at: String,
}

impl WindowSpec {
    /// A window from two instants.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        let text = |t: DateTime<Utc>| t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        Self { start_at: text(start), end_at: text(end) }
    }
}

/// A key of a Secret in the namespace of the object, and in no other.
#[derive(Clone, Debug, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
        .message(words::SECRET_NAME))]
    pub name: String,
    /// Key in the Secret's data whose value is the token.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message(words::SECRET_KEY))]
    pub key: String,
}

fn default_key() -> String {
    "token".to_owned()
}

/// Whether a replay needs to see an enabled webhook first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum WebhookPolicy {
    /// Wait until Konnect has an enabled webhook: a replay without one is spent for nothing.
    #[default]
    RequireEnabled,
    /// Do not look.
    Ignore,
}

/// What to do about a window that was replayed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum DuplicatePolicy {
    /// End without sending where that is known to have reached the receiver.
    #[default]
    Skip,
    /// Send it again.
    Replay,
}

/// What to do about a window whose start Konnect has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ExpiryPolicy {
    /// End the job: what was asked for can no longer be had.
    #[default]
    Fail,
    /// Send what is left of it, and say so.
    Clamp,
}
