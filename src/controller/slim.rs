//! What is kept in memory of each object that the watch shows: what decisions are made of, and no more. An apiserver with fifty
//! thousand finished objects must not make the operator grow by what nobody will ask for again.
//!
//! Nothing is ever written from a slimmed part: status writes are differences, and a finished object whose `observedGeneration` is
//! up to date gets none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use kube::api::{GetParams, ListParams, ObjectList, ObjectMeta, Patch, PatchParams};
use kube::core::Request;
use kube::core::error_boundary::InvalidObject;
use kube::{Client, Resource, ResourceExt};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, Condition, ConditionType, REQUESTED_AT,
    Submission, WebhookEvidence,
};
use konnect_replay_core::konnect::limits;
use konnect_replay_core::replay::is_finished;

/// How much of [`REQUESTED_AT`] is read.
const REQUESTED_CHARS: usize = 128;

/// An object with all of its spec and status and with who wrote them, as the record of its end needs them. All other metadata, which
/// authors may write without limit, is skipped here too.
#[derive(Clone, Debug)]
pub(super) struct Whole(Result<Box<AuditLogReplayJob>, String>);

impl Whole {
    /// The object, if it is one.
    pub(super) fn job(&self) -> Option<&AuditLogReplayJob> {
        self.0.as_deref().ok()
    }

    /// The same; an error if it does not parse.
    pub(super) fn into_job(self) -> kube::Result<AuditLogReplayJob> {
        self.0.map(|job| *job).map_err(|error| kube::Error::SerdeError(serde::de::Error::custom(error)))
    }
}

/// Calls for objects that are read as [`Whole`].
pub(super) struct Objects(Client);

impl Objects {
    pub(super) fn new(client: &Client) -> Self {
        Self(client.clone())
    }

    /// One page of those of a namespace, or of all.
    pub(super) async fn list(&self, namespace: Option<&str>, params: &ListParams) -> kube::Result<ObjectList<Whole>> {
        self.0.request(at(namespace).list(params).map_err(kube::Error::BuildRequest)?).await
    }

    /// One by its name.
    pub(super) async fn get(&self, namespace: &str, name: &str) -> kube::Result<AuditLogReplayJob> {
        let request = at(Some(namespace)).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
        self.0.request::<Whole>(request).await?.into_job()
    }

    /// Writes a part of its status.
    pub(super) async fn patch_status(
        &self,
        (namespace, name): (&str, &str),
        params: &PatchParams,
        patch: Value,
    ) -> kube::Result<AuditLogReplayJob> {
        let patch = Patch::Merge(patch);
        let request = at(Some(namespace)).patch_subresource("status", name, params, &patch);
        self.0.request::<Whole>(request.map_err(kube::Error::BuildRequest)?).await?.into_job()
    }
}

fn at(namespace: Option<&str>) -> Request {
    Request::new(AuditLogReplayJob::url_path(&(), namespace))
}

/// An object as the watch delivers it: one that does not parse is isolated, not fatal. It is made small while it is read, so that a page
/// of a list never lies in memory as a whole. Copies share it.
#[derive(Clone, Debug)]
pub(super) struct Guarded(Arc<Result<AuditLogReplayJob, InvalidObject>>);

impl Guarded {
    /// The object, or why it is none.
    pub(super) fn job(&self) -> Result<&AuditLogReplayJob, &InvalidObject> {
        self.0.as_ref().as_ref()
    }

    /// Whether it has ended, that has been written down, and it is not to be deleted some time: nothing is left to do.
    pub(super) fn is_at_rest(&self) -> bool {
        self.job().is_ok_and(|job| is_over(job) && job.spec.ttl_seconds_after_finished.is_none())
    }

    /// The object that is `known` in the place of the same version of it that was read again: all of them are, when the watch has to
    /// begin anew with a list, and none is to lie in memory twice meanwhile.
    pub(super) fn or_the_same(self, known: Option<&Self>) -> Self {
        let version = |object: &Self| (object.uid(), object.resource_version());
        known.filter(|known| version(known) == version(&self)).cloned().unwrap_or(self)
    }
}

/// What is read of an object. Whatever else stands there is passed over without being taken in: who owns which field is most of an
/// object.
#[derive(Deserialize)]
struct Parts {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    status: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    #[serde(default)]
    annotations: Annotations,
}

/// The one annotation that is read, cut to what is read of it. An author may write 256 KiB of others, and labels without limit, into
/// each object: none of that may lie in memory, or who may create objects could end the operator at its next start.
#[derive(Default)]
struct Annotations(Option<String>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OneAnnotation)
    }
}

struct OneAnnotation;

impl<'de> Visitor<'de> for OneAnnotation {
    type Value = Annotations;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("annotations")
    }

    fn visit_none<E>(self) -> Result<Annotations, E> {
        Ok(Annotations::default())
    }

    fn visit_unit<E>(self) -> Result<Annotations, E> {
        Ok(Annotations::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Annotations, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut found = Annotations::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == REQUESTED_AT {
                found.0 = Some(shortened(&map.next_value::<Cow<'de, str>>()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// What is read of the value of an annotation.
fn shortened(value: &str) -> String {
    value.chars().take(REQUESTED_CHARS).collect()
}

/// The object without foreign metadata: what is kept of an object that was read or written past the watch.
pub(super) fn slimmed(job: AuditLogReplayJob) -> AuditLogReplayJob {
    let AuditLogReplayJob { metadata, spec, status } = job;
    let requested = metadata.annotations.as_ref().and_then(|annotations| annotations.get(REQUESTED_AT));
    let metadata = Metadata {
        annotations: Annotations(requested.map(|value| shortened(value))),
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp,
        deletion_timestamp: metadata.deletion_timestamp,
    };
    AuditLogReplayJob { metadata: metadata.into(), spec, status }
}

/// What the record of an end reads of an object.
#[derive(Deserialize)]
struct WholeParts {
    metadata: OwnedMetadata,
    #[serde(default)]
    spec: Value,
    status: Option<Value>,
}

#[derive(Deserialize)]
struct OwnedMetadata {
    #[serde(flatten)]
    metadata: Metadata,
    #[serde(rename = "managedFields", default)]
    owners: Option<Vec<Owner>>,
}

/// Who owns a part of the object, and whether that is a part of the spec.
#[derive(Deserialize)]
struct Owner {
    manager: Option<String>,
    time: Option<Time>,
    subresource: Option<String>,
    #[serde(rename = "fieldsV1")]
    fields: Option<OwnedFields>,
}

#[derive(Deserialize)]
struct OwnedFields {
    #[serde(rename = "f:spec")]
    spec: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metadata, spec, status } = Parts::deserialize(deserializer)?;
        let metadata = ObjectMeta::from(metadata);
        Ok(Self(Arc::new(match parsed(spec, status) {
            Ok((spec, status)) => {
                let mut job = AuditLogReplayJob { metadata, spec, status };
                if is_over(&job) {
                    leave_the_end(&mut job);
                }
                Ok(job)
            }
            Err(error) => Err(InvalidObject { error: limits::clean(&error.to_string()), metadata }),
        })))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WholeParts { metadata: OwnedMetadata { metadata, owners }, spec, status } =
            WholeParts::deserialize(deserializer)?;
        let mut metadata = ObjectMeta::from(metadata);
        metadata.managed_fields = owners.map(|owners| owners.into_iter().map(ManagedFieldsEntry::from).collect());
        let job = parsed(spec, status).map(|(spec, status)| Box::new(AuditLogReplayJob { metadata, spec, status }));
        Ok(Self(job.map_err(|error| limits::clean(&error.to_string()))))
    }
}

type SpecAndStatus = (AuditLogReplayJobSpec, Option<AuditLogReplayJobStatus>);

fn parsed(spec: Value, status: Option<Value>) -> Result<SpecAndStatus, serde_json::Error> {
    let spec = AuditLogReplayJobSpec::deserialize(spec)?;
    Ok((spec, status.map(AuditLogReplayJobStatus::deserialize).transpose()?))
}

impl From<Owner> for ManagedFieldsEntry {
    fn from(owner: Owner) -> Self {
        let owns_spec = owner.fields.is_some_and(|fields| fields.spec.is_some());
        Self {
            manager: owner.manager,
            time: owner.time,
            subresource: owner.subresource,
            fields_v1: owns_spec.then(|| FieldsV1(serde_json::json!({ "f:spec": {} }))),
            ..Self::default()
        }
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        let requested = read.annotations.0.map(|value| (REQUESTED_AT.to_owned(), value));
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            annotations: requested.map(|requested| BTreeMap::from([requested])),
            ..Self::default()
        }
    }
}

impl Resource for Guarded {
    type DynamicType = ();
    type Scope = <AuditLogReplayJob as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        AuditLogReplayJob::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        AuditLogReplayJob::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        AuditLogReplayJob::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        AuditLogReplayJob::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.job().map_or_else(|invalid| &invalid.metadata, Resource::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.0).as_mut().map_or_else(|invalid| &mut invalid.metadata, Resource::meta_mut)
    }
}

/// Whether nothing will be written into it any more.
fn is_over(job: &AuditLogReplayJob) -> bool {
    let observed = job.status.as_ref().map(|status| status.observed_generation);
    is_finished(job) && observed == job.metadata.generation
}

/// What is still asked of a finished object: which one it is, how and when it ended, whose window was replayed.
fn leave_the_end(job: &mut AuditLogReplayJob) {
    job.metadata.annotations = None;
    job.status = job.status.take().map(|whole| AuditLogReplayJobStatus {
        observed_generation: whole.observed_generation,
        conditions: whole.conditions.into_iter().filter_map(verdict).collect(),
        window: whole.window,
        start_time: whole.start_time,
        completion_time: whole.completion_time,
        failed_time: whole.failed_time,
        attempts: whole.attempts,
        konnect: whole.konnect,
        submission: whole.submission.map(|submission| Box::new(run(*submission))),
        webhook: whole.webhook.map(|webhook| WebhookEvidence {
            destination_id: webhook.destination_id,
            last_attempt_time: webhook.last_attempt_time,
            last_response_code: webhook.last_response_code,
            ..WebhookEvidence::default()
        }),
        ..AuditLogReplayJobStatus::default()
    });
}

/// Of a submission, how and when its run began and ended, and where the webhook pointed then.
fn run(whole: Submission) -> Submission {
    let destination = |webhook: WebhookEvidence| WebhookEvidence {
        destination_id: webhook.destination_id,
        ..WebhookEvidence::default()
    };
    Submission {
        id: String::new(),
        accepted: None,
        last_read: None,
        previous: None,
        webhook: whole.webhook.map(destination),
        ..whole
    }
}

/// The conditions by which an end is told, without their sentences.
fn verdict(condition: Condition) -> Option<Condition> {
    match condition.type_ {
        ConditionType::Complete | ConditionType::Failed | ConditionType::Finished | ConditionType::Ready => {
            Some(Condition { message: String::new(), ..condition })
        }
        ConditionType::Suspended
        | ConditionType::Reconciling
        | ConditionType::Stalled
        | ConditionType::Submitted
        | ConditionType::CredentialsValid
        | ConditionType::WebhookReady
        | ConditionType::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::{Value, json};

    use super::*;

    fn object(observed_generation: i64, ended: Option<&str>) -> Value {
        let condition = |type_: &str| {
            json!({ "type": type_, "status": "True", "reason": "Completed", "message": "a sentence",
                    "observedGeneration": 2, "lastTransitionTime": "2026-11-20T10:00:00Z" })
        };
        let conditions: Vec<Value> = ended.into_iter().chain(["Ready", "Submitted"]).map(condition).collect();
        json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
            "metadata": {
                "name": "a", "namespace": "audit", "uid": "u", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-11-20T09:00:00Z", "labels": { "team": "siem" },
                "annotations": { REQUESTED_AT: "now", "kubectl.kubernetes.io/last-applied-configuration": "{}",
                                 "konnect-replay.device/other": "x", "konnect-replay.dev/other": "x" },
                "managedFields": [{ "manager": "kubectl", "operation": "Update" }],
            },
            "spec": {
                "target": { "region": "eu", "scope": "Organization" },
                "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T09:00:00Z" },
                "tokenSecretRef": { "name": "token" },
            },
            "status": {
                "observedGeneration": observed_generation, "conditions": conditions, "attempts": 1,
                "completionTime": "2026-11-20T10:00:00Z",
                "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T09:00:07Z",
                            "expiresAt": "2026-11-27T08:00:00Z", "clamped": false },
                "webhook": { "enabled": true, "status": "active", "lastResponseCode": 503 },
                "konnect": { "status": "completed", "observedTime": "2026-11-20T10:00:00Z" },
                "submission": {
                    "id": "s", "attempt": 1, "state": "Accepted", "intentTime": "2026-11-20T09:30:00Z",
                    "acceptedTime": "2026-11-20T09:30:01Z", "webhook": { "destinationID": "d" },
                    "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T09:00:00Z" },
                },
            },
        })
    }

    fn read(object: &Value) -> Guarded {
        // As it comes: from text.
        serde_json::from_str(&object.to_string()).unwrap()
    }

    #[test]
    fn what_is_listed_again_unchanged_is_the_object_that_is_known() {
        let mut first = object(1, None);
        first["metadata"]["resourceVersion"] = json!("7");
        let known = read(&first);
        let is_known = |object: &Value| Arc::ptr_eq(&known.0, &read(object).or_the_same(Some(&known)).0);
        assert!(is_known(&first));
        let (mut edited, mut other) = (first.clone(), first);
        edited["metadata"]["resourceVersion"] = json!("8");
        other["metadata"]["uid"] = json!("another");
        assert!(!is_known(&edited) && !is_known(&other));
    }

    #[test]
    fn of_an_object_under_way_only_what_others_keep_there_goes() {
        for unfinished in [object(2, None), object(1, Some("Complete"))] {
            let whole: AuditLogReplayJob = serde_json::from_value(unfinished.clone()).unwrap();
            let job = read(&unfinished).job().unwrap().clone();
            assert_eq!((&job.spec, &job.status, job.labels().len()), (&whole.spec, &whole.status, 0));
            assert_eq!(job.annotations().keys().collect::<Vec<_>>(), [REQUESTED_AT]);
            assert_eq!(job.metadata.managed_fields, None);
        }
    }

    #[test]
    fn of_the_annotation_that_is_read_no_more_is_kept_than_is_read() {
        let mut long = object(2, None);
        long["metadata"]["annotations"][REQUESTED_AT] = json!("é".repeat(200_000));
        let job = read(&long).job().unwrap().clone();
        assert_eq!(job.annotations()[REQUESTED_AT], "é".repeat(REQUESTED_CHARS));
        let whole: AuditLogReplayJob = serde_json::from_value(long).unwrap();
        assert_eq!(slimmed(whole).metadata, job.metadata);
        for none in [json!(null), json!({})] {
            let mut object = object(2, None);
            object["metadata"]["annotations"] = none;
            assert_eq!(read(&object).job().unwrap().metadata.annotations, None);
        }
    }

    #[test]
    fn the_record_of_an_object_read_without_its_labels_tells_the_same() {
        let mut object = object(2, Some("Complete"));
        object["status"]["conditions"].as_array_mut().unwrap().push(json!({
            "type": "Finished", "status": "True", "reason": "Completed", "message": "",
            "observedGeneration": 2, "lastTransitionTime": "2026-11-20T10:00:00Z" }));
        object["metadata"]["managedFields"] = json!([
            { "manager": "later", "time": "2026-11-20T09:30:00Z", "fieldsV1": { "f:spec": { "f:suspend": {} } } },
            { "manager": "kubectl", "time": "2026-11-20T09:00:00Z", "fieldsV1": { "f:metadata": {}, "f:spec": {} } },
            { "manager": "labeller", "time": "2026-11-20T09:00:00Z", "fieldsV1": { "f:metadata": { "f:labels": {} } } },
            { "manager": "ours", "subresource": "status", "fieldsV1": { "f:status": {}, "f:spec": {} } },
        ]);
        let whole: AuditLogReplayJob = serde_json::from_value(object.clone()).unwrap();
        let less: Whole = serde_json::from_str(&object.to_string()).unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let record = |job: &AuditLogReplayJob| crate::evidence::Record::of(job, true, at).unwrap();
        assert_eq!(record(less.job().unwrap()), record(&whole));
        assert_eq!(record(&whole).job.spec_managers, ["kubectl", "later"]);
    }

    #[test]
    fn of_a_finished_object_its_end_stays() {
        for ended in ["Complete", "Failed"] {
            let whole: AuditLogReplayJob = serde_json::from_value(object(2, Some(ended))).unwrap();
            let job = read(&object(2, Some(ended))).job().unwrap().clone();
            assert!(is_finished(&job));
            assert_eq!((job.uid(), job.resource_version()), (whole.uid(), whole.resource_version()));
            assert_eq!((&job.spec, job.annotations().len()), (&whole.spec, 0));
            let (status, whole) = (job.status.unwrap(), whole.status.unwrap());
            let kept: Vec<&str> = status.conditions.iter().map(|c| c.type_.as_str()).collect();
            assert_eq!((kept, &status.window, &status.konnect), (vec![ended, "Ready"], &whole.window, &whole.konnect));
            assert_eq!(status.webhook.unwrap().last_response_code, Some(503));
            // Of its run, what a record of a delivery goes by.
            let (run, of_whole) = (status.submission.unwrap(), whole.submission.unwrap());
            assert_eq!((&run.state, run.accepted_time), (&of_whole.state, of_whole.accepted_time));
            assert_eq!(run.webhook.unwrap().destination_id.as_deref(), Some("d"));
            assert_eq!((status.completion_time, status.attempts), (whole.completion_time, 1));
            assert_eq!(
                (status.conditions[1].reason.as_str(), status.conditions[1].message.as_str()),
                ("Completed", "")
            );
        }
    }

    #[test]
    fn one_that_does_not_parse_is_slimmed_as_well() {
        let mut broken = object(2, None);
        broken["spec"] = json!("nonsense");
        let object = read(&broken);
        let invalid = object.job().unwrap_err();
        assert_eq!((invalid.metadata.name.as_deref(), &invalid.metadata.managed_fields), (Some("a"), &None));
    }
}
