//! What is kept in memory of each job that the watch shows: only what decisions are made of.
//!
//! Nothing is ever written from a job that something was left out of: a finished object whose `observedGeneration` is up to date gets no
//! status write.

use kube::api::ObjectMeta;

use crate::runtime::objects::Kind;
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, AuditLogReplayJobStatus, Condition, ConditionType, Submission,
    WebhookEvidence,
};
use konnect_replay_core::replay::is_finished;

impl Kind for AuditLogReplayJob {
    const PLURAL: &'static str = "AuditLogReplayJobs";

    fn of_parts(metadata: ObjectMeta, spec: AuditLogReplayJobSpec, status: Option<AuditLogReplayJobStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn make_small(&mut self) {
        if is_over(self) {
            leave_the_end(self);
        }
    }

    /// Whether it has ended, that has been written down, and it is not to be deleted some time.
    fn is_at_rest(&self) -> bool {
        is_over(self) && self.spec.ttl_seconds_after_finished.is_none()
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

/// The conditions that say how a job ended, without their messages.
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
    use crate::runtime::objects::{Guarded, Whole, slimmed};
    use konnect_replay_core::api::REQUESTED_AT;

    /// How much of the value of that annotation is read.
    const REQUESTED_CHARS: usize = 128;

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

    fn read(object: &Value) -> Guarded<AuditLogReplayJob> {
        // As it comes: from text.
        serde_json::from_str(&object.to_string()).unwrap()
    }

    #[test]
    fn what_is_listed_again_unchanged_is_the_object_that_is_known() {
        let mut first = object(1, None);
        first["metadata"]["resourceVersion"] = json!("7");
        let known = read(&first);
        let is_known = |object: &Value| known.is_shared_with(&read(object).or_the_same(Some(&known)));
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
            let job = read(&unfinished).object().unwrap().clone();
            assert_eq!((&job.spec, &job.status, job.labels().len()), (&whole.spec, &whole.status, 0));
            assert_eq!(job.annotations().keys().collect::<Vec<_>>(), [REQUESTED_AT]);
            assert_eq!(job.metadata.managed_fields, None);
        }
    }

    #[test]
    fn of_the_annotation_that_is_read_no_more_is_kept_than_is_read() {
        let mut long = object(2, None);
        long["metadata"]["annotations"][REQUESTED_AT] = json!("é".repeat(200_000));
        let job = read(&long).object().unwrap().clone();
        assert_eq!(job.annotations()[REQUESTED_AT], "é".repeat(REQUESTED_CHARS));
        let whole: AuditLogReplayJob = serde_json::from_value(long).unwrap();
        assert_eq!(slimmed(whole).metadata, job.metadata);
        for none in [json!(null), json!({})] {
            let mut object = object(2, None);
            object["metadata"]["annotations"] = none;
            assert_eq!(read(&object).object().unwrap().metadata.annotations, None);
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
        let less: Whole<AuditLogReplayJob> = serde_json::from_str(&object.to_string()).unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let record = |job: &AuditLogReplayJob| crate::evidence::Record::of(job, true, at).unwrap();
        assert_eq!(record(less.object().unwrap()), record(&whole));
        assert_eq!(record(&whole).job.spec_managers, ["kubectl", "later"]);
    }

    #[test]
    fn of_a_finished_object_its_end_stays() {
        for ended in ["Complete", "Failed"] {
            let whole: AuditLogReplayJob = serde_json::from_value(object(2, Some(ended))).unwrap();
            let job = read(&object(2, Some(ended))).object().unwrap().clone();
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
        let invalid = object.object().unwrap_err();
        assert_eq!((invalid.metadata.name.as_deref(), &invalid.metadata.managed_fields), (Some("a"), &None));
    }
}
