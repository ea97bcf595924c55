//! What happened to a job and when, from the times that its status records. Nothing is asked of Konnect.

use chrono::{DateTime, Utc};

use super::text;
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, KonnectJob, Reason, Retries,
    Submission, SubmissionState, from_kube_time,
};
use konnect_replay_core::konnect::RemoteStatus;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: DateTime<Utc>,
    pub(super) what: String,
}

/// Everything that the object still knows, oldest first. A request that was followed by another is not recorded any more.
pub(super) fn of(job: &AuditLogReplayJob) -> Vec<Step> {
    let created = job.metadata.creation_timestamp.as_ref().map(from_kube_time);
    let mut steps: Vec<Step> = created.into_iter().map(|at| step(at, "created")).collect();
    if let Some(status) = &job.status {
        steps.extend(status.conditions.iter().filter_map(of_condition));
        steps.extend(status.start_time.filter(|_| !is_told(status)).map(|at| step(at, "first under way at Konnect")));
        let refused = status.last_conflict_time.map(|at| conflicts(at, status.conflicts));
        let requested = status.submission.as_deref().into_iter().flat_map(submission);
        // The standing request was refused, or one before it.
        if is_taken(status) {
            steps.extend(refused.into_iter().chain(requested));
        } else {
            steps.extend(requested.chain(refused));
        }
        steps.extend(status.konnect.as_ref().filter(|_| is_going_on(status)).and_then(konnects_word));
        steps.extend(status.retries.as_ref().filter(|_| is_to_be_tried(status)).and_then(next_try));
        steps.extend(status.completion_time.map(|at| step(at, &format!("complete: {}", text::state(job)))));
        steps.extend(status.failed_time.map(|at| step(at, &format!("failed: {}", text::state(job)))));
    }
    // What was recorded in the same second stays in the order in which it happens.
    steps.sort_by_key(|step| step.at);
    steps
}

fn step(at: DateTime<Utc>, what: &str) -> Step {
    Step { at, what: what.to_owned() }
}

fn conflicts(at: DateTime<Utc>, count: u32) -> Step {
    let so_far = if count > 1 { format!(": the last of {count} times") } else { String::new() };
    step(at, &format!("refused by Konnect, since another replay was under way (409){so_far}"))
}

fn is_taken(status: &AuditLogReplayJobStatus) -> bool {
    status.submission.as_ref().is_some_and(|submission| submission.accepted_time.is_some())
}

/// Whether the acceptance of the standing request is the start, which is told already. Where a run came before it, it is not, even if
/// both were accepted in the same second.
fn is_told(status: &AuditLogReplayJobStatus) -> bool {
    let Some(accepted) = status.submission.as_ref().and_then(|submission| submission.accepted_time) else {
        return false;
    };
    let first = |retries: &Retries| runs_before(status, retries) == 0 && status.start_time == Some(accepted);
    status.retries.as_ref().is_none_or(first)
}

/// How many runs of earlier requests Konnect is known to have begun.
fn runs_before(status: &AuditLogReplayJobStatus, retries: &Retries) -> u32 {
    let is_one_of_them = status
        .submission
        .as_ref()
        .is_some_and(|submission| matches!(submission.state, SubmissionState::Failed | SubmissionState::EndedUnseen));
    (retries.failed + retries.ended_unseen).saturating_sub(u32::from(is_one_of_them))
}

/// Whether the standing request is over, so that a next one is waited for.
fn is_to_be_tried(status: &AuditLogReplayJobStatus) -> bool {
    status.submission.as_ref().is_some_and(|submission| submission.state.is_over())
}

fn submission(submission: &Submission) -> Vec<Step> {
    let window = text::span(submission.window.start_at, submission.window.end_at);
    let adopted = submission.state == SubmissionState::Adopted;
    let recorded = format!("try {} recorded: {window}", submission.attempt);
    let mut steps = if adopted { Vec::new() } else { vec![step(submission.intent_time, &recorded)] };
    let taken = if adopted { "found under way at Konnect already, and followed" } else { "accepted by Konnect" };
    steps.extend(submission.accepted_time.map(|at| step(at, taken)));
    steps.extend(submission.end_time.map(|at| step(at, ending(&submission.state))));
    steps
}

/// Whether the run of the standing request is under way, so that Konnect's last word is about it.
pub(super) fn is_going_on(status: &AuditLogReplayJobStatus) -> bool {
    let state = status.submission.as_ref().map(|submission| &submission.state);
    let finished = status.completion_time.or(status.failed_time).is_some();
    matches!(state, Some(SubmissionState::Accepted | SubmissionState::Adopted)) && !finished
}

fn konnects_word(konnect: &KonnectJob) -> Option<Step> {
    let told = konnect.status == RemoteStatus::Accepted;
    (!told).then(|| step(konnect.observed_time, &format!("Konnect said {}", konnect.status)))
}

fn ending(state: &SubmissionState) -> &'static str {
    match state {
        SubmissionState::NotTaken => "found not to have been taken by Konnect",
        SubmissionState::NotShown => "answered with success by Konnect, and never shown",
        SubmissionState::Failed => "reported as failed by Konnect",
        SubmissionState::Superseded => "another job was found in its place at Konnect",
        SubmissionState::EndedUnseen => "found to have ended unseen",
        SubmissionState::Intended
        | SubmissionState::Accepted
        | SubmissionState::Adopted
        | SubmissionState::Unknown(_) => "over",
    }
}

/// Conditions that tell something which nothing else does, from when they began.
fn of_condition(condition: &Condition) -> Option<Step> {
    let what = match (&condition.type_, &condition.status) {
        (ConditionType::Suspended, ConditionStatus::True) => "suspended".to_owned(),
        (ConditionType::CredentialsValid, ConditionStatus::True) => "token accepted".to_owned(),
        (ConditionType::CredentialsValid, _) => format!("token not accepted: {}", condition.reason),
        (ConditionType::WebhookReady, ConditionStatus::True)
            if condition.reason == Reason::WebhookInactive.as_str() =>
        {
            "webhook enabled, its last delivery failed".to_owned()
        }
        (ConditionType::WebhookReady, ConditionStatus::True) => "webhook enabled".to_owned(),
        (ConditionType::WebhookReady, ConditionStatus::Unknown) => "webhook could not be looked at".to_owned(),
        (ConditionType::WebhookReady, _) => format!("webhook not ready: {}", condition.reason),
        _ => return None,
    };
    Some(Step { at: condition.last_transition_time, what })
}

fn next_try(retries: &Retries) -> Option<Step> {
    retries.next_time.map(|at| step(at, "next try at the earliest"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A job whose request, the second, was accepted at 10:00:00, and whose first run began at `started`.
    fn told(started: &str, retries: &serde_json::Value) -> Vec<String> {
        let window = json!({ "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T09:00:00Z" });
        let job = json!({
            "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob", "metadata": { "name": "a" },
            "spec": {
                "target": { "region": "eu", "scope": "Organization" },
                "window": window, "tokenSecretRef": { "name": "token" },
            },
            "status": {
                "observedGeneration": 1, "startTime": started, "retries": retries,
                "submission": {
                    "id": "x", "attempt": 2, "state": "Accepted", "window": window,
                    "intentTime": "2026-11-20T10:00:00Z", "acceptedTime": "2026-11-20T10:00:00Z",
                },
            },
        });
        of(&serde_json::from_value(job).unwrap()).into_iter().map(|step| step.what).collect()
    }

    #[test]
    fn a_run_before_the_standing_one_is_told_also_where_both_began_in_one_second() {
        let first = "first under way at Konnect".to_owned();
        let (one, none) = (json!({ "failed": 1 }), json!({ "superseded": 1 }));
        for began in ["2026-11-20T10:00:00Z", "2026-11-20T09:59:00Z"] {
            assert_eq!(told(began, &one)[0], first, "{began}");
        }
        // What was superseded may never have run: the first that is known to is the standing one.
        assert!(!told("2026-11-20T10:00:00Z", &none).contains(&first));
        assert!(told("2026-11-20T09:59:00Z", &none).contains(&first));
    }
}
