//! What the status records besides the state: Konnect's job, the submission, the webhook, the counters, and the three
//! conditions that give detail.

use super::conditions::Conditions;
use super::{konnect_job, messages, planned};
use crate::api::{AuditLogReplayJobStatus, ConditionStatus, ConditionType, Reason, SubmissionState, WebhookEvidence};
use crate::konnect::Webhook;
use crate::replay::observed::{Observed, WebhookReading};
use crate::replay::policy::Policy;
use crate::replay::situation::Situation;

/// Records the facts that `situation` and this pass bring.
pub(super) fn record(o: &Observed, policy: &Policy, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    mirror(o, situation, status);
    submission(o, situation, status);
    webhook(o, situation, status);
    counters(o, status);
    status.window = planned(o, policy, status.submission.as_ref()).or(status.window.take());
}

/// Konnect's job, moved only when its status or window does: not at each poll.
fn mirror(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let answered = match situation {
        Situation::Underway { job, .. } => job.as_ref(),
        // What was last read of ours is the only evidence of what became of it; the stranger stands in the message.
        Situation::Astray { .. } => return,
        _ => None,
    };
    let read = || o.learned.remote.as_ref().and_then(|seen| seen.what.as_ref().ok()).map(|reading| &reading.value);
    let Some(job) = answered.or_else(read) else { return };
    let same = |kept: &crate::api::KonnectJob| {
        kept.status == job.status && kept.start_at == job.start_at && kept.end_at == job.end_at
    };
    if !status.konnect.as_ref().is_some_and(same) {
        status.konnect = Some(konnect_job(job, o.clock));
    }
}

fn submission(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let now = o.clock.stamp();
    match situation {
        Situation::Intended(submission) => status.submission = Some(submission.clone()),
        Situation::Underway { submission, .. } => {
            let begun = status.submission.as_ref().is_some_and(|s| s.state != SubmissionState::Intended);
            if submission.state == SubmissionState::Accepted && !begun {
                status.attempts = submission.attempt;
            }
            status.start_time = status.start_time.or(Some(now));
            status.submission = Some(submission.clone());
        }
        Situation::Completed { .. } => status.completion_time = Some(now),
        Situation::Failed { .. } => status.failed_time = Some(now),
        _ => {}
    }
}

/// Evidence of the webhook. Its delivery times move all the time, so they enter when something else does, and at the end.
fn webhook(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let Some(seen) = o.learned.webhook.as_ref().filter(|_| *situation != Situation::UnknownPortal) else { return };
    let evidence = evidence(&seen.what, status.webhook.as_ref());
    let what = |w: &WebhookEvidence| (w.enabled, w.status.clone(), w.destination_id.clone());
    let news = status.webhook.as_ref().map(what) != Some(what(&evidence));
    let end = matches!(situation, Situation::Completed { .. } | Situation::Failed { .. });
    if news || end || matches!(situation, Situation::Intended(_)) {
        status.webhook = Some(evidence);
    }
}

fn evidence(reading: &WebhookReading, before: Option<&WebhookEvidence>) -> WebhookEvidence {
    let mut evidence = before.cloned().unwrap_or_default();
    match &reading.config {
        Ok(Webhook { enabled, audit_log_destination_id, endpoint: _ }) => {
            evidence.enabled = Some(enabled.unwrap_or(false));
            evidence.destination_id = audit_log_destination_id.as_deref().map(bounded);
        }
        Err(error) if error.status() == Some(404) => {
            evidence = WebhookEvidence { enabled: Some(false), ..WebhookEvidence::default() };
        }
        Err(_) => {}
    }
    if let Some(status) = &reading.status {
        evidence.status = status.webhook_status.as_deref().map(bounded);
        evidence.last_attempt_time = status.last_attempt_at;
        evidence.last_response_code = status.last_response_code;
    }
    evidence
}

fn bounded(text: &str) -> String {
    crate::konnect::limits::clean(text).chars().take(64).collect()
}

fn counters(o: &Observed, status: &mut AuditLogReplayJobStatus) {
    let (conflicts, last) = o.memory.conflicts();
    status.conflicts = status.conflicts.saturating_add(conflicts);
    status.last_conflict_time = last.or(status.last_conflict_time);
}

/// The conditions that give detail.
pub(super) fn conditions(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    credentials(o, situation, conditions);
    webhook_ready(o, situation, conditions);
    submitted(o, situation, conditions);
}

fn credentials(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    let read = o.learned.remote.as_ref().is_some_and(|seen| seen.what.is_ok());
    match situation {
        Situation::NoToken(_) | Situation::Denied(_) => {
            let reason = messages::credentials_reason(situation);
            let message = messages::message(o, situation);
            conditions.set(ConditionType::CredentialsValid, ConditionStatus::False, reason, &message);
        }
        _ if read => {
            let message = "Konnect accepted the token at the last call.";
            conditions.set(ConditionType::CredentialsValid, ConditionStatus::True, Reason::TokenAccepted, message);
        }
        _ => {}
    }
}

fn webhook_ready(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    if *situation == Situation::UnknownPortal {
        let message = messages::message(o, situation);
        conditions.set(ConditionType::WebhookReady, ConditionStatus::Unknown, Reason::PortalNotFound, &message);
    } else if let Some(seen) = &o.learned.webhook {
        let (status, reason) = webhook_state(&seen.what);
        conditions.set(ConditionType::WebhookReady, status, reason, messages::webhook(reason));
    }
}

/// Whether there is an enabled webhook. An inactive one is what a replay is run for after its receiver was mended: it warns,
/// and holds nothing up.
fn webhook_state(reading: &WebhookReading) -> (ConditionStatus, Reason) {
    let inactive = reading.status.as_ref().and_then(|s| s.webhook_status.as_deref()) == Some("inactive");
    match &reading.config {
        Ok(config) if config.enabled != Some(true) => (ConditionStatus::False, Reason::WebhookDisabled),
        Ok(_) if inactive => (ConditionStatus::True, Reason::WebhookInactive),
        Ok(_) => (ConditionStatus::True, Reason::WebhookEnabled),
        Err(error) if error.status() == Some(404) => (ConditionStatus::False, Reason::WebhookDisabled),
        Err(_) => (ConditionStatus::Unknown, Reason::KonnectUnavailable),
    }
}

fn submitted(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    let message = messages::message(o, situation);
    match situation {
        Situation::Intended(_) | Situation::InDoubt { .. } => {
            conditions.set(ConditionType::Submitted, ConditionStatus::Unknown, Reason::Submitting, &message);
        }
        Situation::Underway { submission, .. } => accepted(submission.state == SubmissionState::Adopted, conditions),
        _ if is_answer(situation) && refused(o, conditions) => {
            conditions.set(ConditionType::Submitted, ConditionStatus::False, messages::reason(o, situation), &message);
        }
        _ => {}
    }
}

fn accepted(adopted: bool, conditions: &mut Conditions) {
    let (reason, message) = if adopted {
        (Reason::Adopted, "Konnect was already replaying this very window; nothing was sent.")
    } else {
        (Reason::Accepted, "Konnect accepted the replay.")
    };
    conditions.set(ConditionType::Submitted, ConditionStatus::True, reason, message);
}

/// Whether this can be what a request was answered, and not something that came after.
fn is_answer(situation: &Situation) -> bool {
    match situation {
        Situation::Denied(_)
        | Situation::UnknownPortal
        | Situation::RateLimited
        | Situation::Unavailable(_)
        | Situation::Blocked { .. }
        | Situation::Failed { .. } => true,
        Situation::Pending
        | Situation::TakingOver
        | Situation::Queued { .. }
        | Situation::PassedOver { .. }
        | Situation::Unacceptable(_)
        | Situation::Suspended
        | Situation::WindowOpen { .. }
        | Situation::NoToken(_)
        | Situation::NoWebhook
        | Situation::Intended(_)
        | Situation::InDoubt { .. }
        | Situation::Underway { .. }
        | Situation::Astray { .. }
        | Situation::Completed { .. } => false,
    }
}

/// Whether what is reported follows from a request that Konnect refused.
fn refused(o: &Observed, conditions: &Conditions) -> bool {
    conditions.submission_state() == Some(&SubmissionState::Intended) && o.was_refused()
}
