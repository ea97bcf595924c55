//! The form of the record. A stable API: a field is never removed and never changes its meaning under one version of the schema;
//! fields may be added, so that readers ignore what they do not know.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;

use konnect_replay_core::api::{
    ApiVersion, AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, ConditionType, DuplicatePolicy,
    ExpiryPolicy, KonnectApiVersion, KonnectJob, Retries, Scope, TimeRange, WebhookEvidence, WebhookPolicy, WindowSpec,
    from_kube_time,
};
use konnect_replay_core::replay::VersionChoice;

/// Which form this is.
pub const SCHEMA: &str = "konnect-replay.dev/evidence/v1";
/// What marks these lines among those of the log.
const TARGET: &str = "konnect_replay::evidence";

/// What an auditor asks of a finished job. Fields may be added within a version; ignore what you do not know.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Evidence of konnect-replay, version 1")]
pub struct Record {
    /// When this line was written.
    pub timestamp: DateTime<Utc>,
    /// Always INFO: the line stands among those of the log.
    #[schemars(extend("const" = "INFO"))]
    pub level: &'static str,
    /// Always `konnect_replay::evidence`: by this the line is told from those of the log.
    #[schemars(extend("const" = TARGET))]
    pub target: &'static str,
    /// The record in a sentence, for people.
    pub message: String,
    /// The form of this record and its version.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The same for the same end of the same job, however often the line is written: keep one line for each id.
    pub id: String,
    /// Whether an earlier line with this id may exist: the operator took over from one that did not end in order.
    pub repeated: bool,
    /// The version of the operator that wrote this line.
    pub operator_version: &'static str,
    /// The object, and who made it.
    pub job: Job,
    /// Whose audit log, as asked for.
    pub replay_target: ReplayTarget,
    /// The Secret whose token was used; never its value.
    pub token_secret: String,
    /// The window as the object asks for it.
    pub window_asked: WindowAsked,
    /// The window that was last sent, or adopted; null if nothing was.
    pub window_sent: Option<TimeRange>,
    /// Whether the window that was sent begins later than asked, because Konnect had deleted what came before.
    pub clamped: bool,
    /// What the object allowed.
    pub policies: Policies,
    /// When a replay was first under way at Konnect; null if none ever was.
    pub started_at: Option<DateTime<Utc>>,
    /// When the job ended.
    pub finished_at: DateTime<Utc>,
    /// How often Konnect accepted a request for this object. Each may have sent the events.
    pub attempts: u32,
    /// How often Konnect answered that another replay was under way (409).
    pub conflicts: u32,
    /// What became of attempts that did not complete; null if there were none.
    pub retries: Option<Retries>,
    /// How it ended.
    pub outcome: Outcome,
    /// Konnect's own job, as last read; null if it never was.
    pub konnect: Option<KonnectJob>,
    /// The webhook just before the last request; null if the operator did not look.
    pub webhook_before: Option<WebhookEvidence>,
    /// The webhook as last read, which is at the end where it could be; null if the operator did not look. It names the destination.
    pub webhook_after: Option<WebhookEvidence>,
}

/// The object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Job {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The generation of the spec when this line was made. An edit after the end moves it.
    pub generation: i64,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// By whom, as the API server keeps it in metadata.managedFields: the program that wrote the spec first. Which user that was is
    /// in the API server's own audit log. Null if nothing of it is kept.
    pub field_manager: Option<String>,
    /// All programs that own a part of the spec.
    pub spec_managers: Vec<String>,
}

/// Whose audit log.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ReplayTarget {
    /// Konnect's region.
    pub region: String,
    /// A Dev Portal's log or the organisation's.
    pub scope: Scope,
    /// The Dev Portal; null for the organisation.
    #[serde(rename = "portalID")]
    pub portal_id: Option<String>,
    /// The version of Konnect's API, as asked for.
    #[serde(rename = "konnectAPIVersion")]
    pub konnect_api_version: KonnectApiVersion,
    /// The version of Konnect's API that was used: the one asked for, or the one found with `Auto`; null if none was found.
    #[serde(rename = "konnectAPIVersionUsed")]
    pub konnect_api_version_used: Option<ApiVersion>,
}

/// The window as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct WindowAsked {
    /// First instant, as written.
    pub start_at: String,
    /// Last instant, as written.
    pub end_at: String,
}

/// What the object allowed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Policies {
    /// Whether a window that was replayed before is sent again.
    pub duplicate: DuplicatePolicy,
    /// What to do if the start of the window has been deleted.
    pub expiry: ExpiryPolicy,
    /// Whether an enabled webhook is required.
    pub webhook: WebhookPolicy,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Outcome {
    /// `complete` or `failed`.
    #[schemars(extend("enum" = ["complete", "failed"]))]
    pub result: &'static str,
    /// The reason, a word of the object's API.
    pub reason: String,
    /// What the object says.
    pub message: String,
}

impl Record {
    /// The record of a finished job; `None` for any other.
    pub fn of(job: &AuditLogReplayJob, repeated: bool, timestamp: DateTime<Utc>) -> Option<Self> {
        let end = konnect_replay_core::replay::end(job)?;
        let status = job.status.clone()?;
        let (namespace, name, uid) =
            (job.namespace().unwrap_or_default(), job.name_any(), job.uid().unwrap_or_default());
        let result = if end.complete { "complete" } else { "failed" };
        let AuditLogReplayJobSpec {
            target,
            window,
            token_secret_ref,
            duplicate_policy,
            expiry_policy,
            webhook_policy,
            ..
        } = job.spec.clone();
        let WindowSpec { start_at, end_at } = window;
        let submission = status.submission.as_ref();
        let used = match VersionChoice::of(job) {
            VersionChoice::Settled(version) => Some(version),
            VersionChoice::Open => None,
        };
        Some(Self {
            timestamp,
            level: "INFO",
            target: TARGET,
            message: format!("AuditLogReplayJob {namespace}/{name} ended as {result}: {}", end.reason),
            schema: SCHEMA,
            id: uid.clone(),
            repeated,
            operator_version: env!("CARGO_PKG_VERSION"),
            replay_target: ReplayTarget {
                region: target.region,
                scope: target.scope,
                portal_id: target.portal_id,
                konnect_api_version: target.konnect_api_version,
                konnect_api_version_used: used,
            },
            token_secret: token_secret_ref.name,
            window_asked: WindowAsked { start_at, end_at },
            window_sent: submission.filter(|_| status.start_time.is_some()).map(|submission| submission.window),
            clamped: status.window.as_ref().is_some_and(|window| window.clamped),
            policies: Policies { duplicate: duplicate_policy, expiry: expiry_policy, webhook: webhook_policy },
            started_at: status.start_time,
            finished_at: end.at,
            attempts: status.attempts,
            conflicts: status.conflicts,
            outcome: Outcome { result, reason: end.reason, message: ready_message(&status) },
            webhook_before: submission.and_then(|submission| submission.webhook.clone()),
            webhook_after: status.webhook,
            retries: status.retries,
            konnect: status.konnect,
            job: Job {
                created_at: job.metadata.creation_timestamp.as_ref().map(from_kube_time),
                field_manager: maker(job.managed_fields()),
                spec_managers: spec_managers(job.managed_fields()),
                namespace,
                name,
                uid,
                generation: status.observed_generation,
            },
        })
    }
}

/// The JSON Schema of the record: what [`schema_json`] made. The shipped program prints this, and carries nothing that it would take to
/// make it.
pub const SCHEMA_JSON: &str = include_str!("../../docs/evidence.schema.json");

/// The text of [`SCHEMA_JSON`], made anew by `cargo xtask generate`.
pub fn schema_json() -> Result<String, serde_json::Error> {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.contract = schemars::generate::Contract::Serialize);
    let schema = settings.into_generator().into_root_schema_for::<Record>();
    Ok(format!("{}\n", serde_json::to_string_pretty(&schema)?))
}

fn ready_message(status: &AuditLogReplayJobStatus) -> String {
    let ready = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready);
    ready.map(|c| c.message.clone()).unwrap_or_default()
}

/// Entries of those who own a part of the spec, the earliest first.
fn of_the_spec(entries: &[ManagedFieldsEntry]) -> Vec<&ManagedFieldsEntry> {
    let owns_spec = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some());
        fields && entry.subresource.as_ref().is_none_or(String::is_empty)
    };
    let mut entries: Vec<_> = entries.iter().filter(owns_spec).collect();
    entries.sort_by_key(|entry| entry.time.as_ref().map(from_kube_time));
    entries
}

fn maker(entries: &[ManagedFieldsEntry]) -> Option<String> {
    of_the_spec(entries).first().and_then(|entry| entry.manager.clone())
}

fn spec_managers(entries: &[ManagedFieldsEntry]) -> Vec<String> {
    of_the_spec(entries).iter().filter_map(|entry| entry.manager.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_the_one_that_the_types_make() {
        let remedy = "run: cargo xtask generate";
        assert!(schema_json().unwrap() == SCHEMA_JSON, "docs/evidence.schema.json is out of date; {remedy}");
    }
}
