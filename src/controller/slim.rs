//! What is kept in memory of each object that the watch shows: what decisions are made of, and no more. An apiserver with fifty
//! thousand finished objects must not make the operator grow by what nobody will ask for again.
//!
//! Nothing is ever written from a slimmed part: status writes are differences, and a finished object whose `observedGeneration` is
//! up to date gets none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::error_boundary::InvalidObject;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, Condition, ConditionType, GROUP, WebhookEvidence,
};
use crate::replay::is_finished;

/// An object with all that the apiserver keeps there.
pub(super) type Whole = DeserializeGuard<AuditLogReplayJob>;

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
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metadata, spec, status } = Parts::deserialize(deserializer)?;
        let mut metadata = ObjectMeta::from(metadata);
        let parsed = AuditLogReplayJobSpec::deserialize(spec)
            .and_then(|spec| Ok((spec, status.map(AuditLogReplayJobStatus::deserialize).transpose()?)));
        Ok(Self(Arc::new(match parsed {
            Ok((spec, status)) => {
                let mut job = AuditLogReplayJob { metadata, spec, status };
                if is_over(&job) {
                    leave_the_end(&mut job);
                }
                Ok(job)
            }
            Err(error) => {
                metadata.labels = None;
                Err(InvalidObject { error: error.to_string(), metadata })
            }
        })))
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        let ours = |name: &String| name.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
        let annotations: BTreeMap<_, _> =
            read.annotations.into_iter().flatten().filter(|(name, _)| ours(name)).collect();
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            labels: read.labels,
            annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
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
    (job.metadata.labels, job.metadata.annotations) = (None, None);
    job.status = job.status.take().map(|whole| AuditLogReplayJobStatus {
        observed_generation: whole.observed_generation,
        conditions: whole.conditions.into_iter().filter_map(verdict).collect(),
        window: whole.window,
        start_time: whole.start_time,
        completion_time: whole.completion_time,
        failed_time: whole.failed_time,
        attempts: whole.attempts,
        konnect: whole.konnect,
        webhook: whole.webhook.map(|webhook| WebhookEvidence {
            destination_id: webhook.destination_id,
            last_attempt_time: webhook.last_attempt_time,
            last_response_code: webhook.last_response_code,
            ..WebhookEvidence::default()
        }),
        ..AuditLogReplayJobStatus::default()
    });
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
    use crate::api::REQUESTED_AT;

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
                                 "konnect-replay.device/other": "x" },
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
            assert_eq!((&job.spec, &job.status, job.labels()), (&whole.spec, &whole.status, whole.labels()));
            assert_eq!(job.annotations().keys().collect::<Vec<_>>(), [REQUESTED_AT]);
            assert_eq!(job.metadata.managed_fields, None);
        }
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
