//! What the status records besides the state: Konnect's job, the submission, the webhook, the counters, and the three
//! conditions that give detail.

use super::conditions::Conditions;
use super::{messages, planned};
use crate::replay::facts::{record, said};
use chrono::{DateTime, Utc};

use crate::api::{
    AuditLogReplayJobStatus, ConditionStatus, ConditionType, Reason, Submission, SubmissionState, WebhookEvidence,
};
use crate::replay::decide::situation::{Ended, Situation};
use crate::replay::facts::observed::{Observed, WebhookReading};
use crate::replay::facts::{retention, window};

/// Records the facts that `situation` and this pass bring.
pub(super) fn record(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    status.konnect_api_version = o.found_version().or(status.konnect_api_version);
    mirror(o, situation, status);
    submission(o, situation, status);
    webhook(o, situation, status);
    counters(o, status);
    status.window = planned(o, status.submission.as_deref()).or(status.window.take());
}

/// Konnect's job, moved only when its status or window does: not at each poll.
fn mirror(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let answered = match situation {
        Situation::Underway { job, .. } => job.as_ref(),
        // Nothing that could be told from what was read before.
        Situation::Unrecognisable { .. } => return,
        _ => None,
    };
    let read = || o.learned.remote.as_ref().and_then(|seen| seen.what.as_ref().ok()).map(|reading| &reading.value);
    let Some(job) = answered.or_else(read) else { return };
    let same = |kept: &crate::api::KonnectJob| {
        kept.status == job.status && kept.start_at == job.start_at && kept.end_at == job.end_at
    };
    if !status.konnect.as_ref().is_some_and(same) {
        status.konnect = Some(record::konnect_job(job, o.clock));
    }
}

fn submission(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let now = o.clock.stamp();
    match situation {
        Situation::Intended(submission) => status.submission = Some(Box::new(submission.clone())),
        Situation::Underway { submission, .. } => under_way(submission, now, status),
        Situation::Over(ended) => over(ended, status),
        Situation::Completed { .. } | Situation::AlreadyReplayed { .. } => status.completion_time = Some(now),
        Situation::Failed { ended, .. } => {
            status.failed_time = Some(now);
            if let Some(ended) = ended {
                over(ended, status);
            }
        }
        _ => {}
    }
}

fn under_way(submission: &Submission, now: DateTime<Utc>, status: &mut AuditLogReplayJobStatus) {
    if submission.state == SubmissionState::Accepted {
        status.attempts = status.attempts.max(submission.attempt);
    }
    if status.start_time.is_none() {
        // From here on the other deadline counts.
        (status.start_time, status.suspended_seconds) = (Some(now), 0);
    }
    status.submission = Some(Box::new(submission.clone()));
}

fn over(ended: &Ended, status: &mut AuditLogReplayJobStatus) {
    status.submission = Some(Box::new(ended.submission.clone()));
    status.retries = Some(ended.retries.clone());
}

/// Evidence of the webhook. Its delivery times move all the time, so they enter when something else does, and at the end.
fn webhook(o: &Observed, situation: &Situation, status: &mut AuditLogReplayJobStatus) {
    let Some(seen) = o.learned.webhook.as_ref().filter(|_| !matches!(situation, Situation::UnknownPortal { .. }))
    else {
        return;
    };
    let mut evidence = evidence(&seen.what, status.webhook.as_ref());
    if matches!(situation, Situation::Completed { .. }) && seen.what.status.is_none() {
        // What was read before the run says nothing of its deliveries.
        (evidence.last_attempt_time, evidence.last_response_code) = (None, None);
    }
    let what = |w: &WebhookEvidence| (w.enabled, w.status.clone(), w.destination_id.clone());
    let news = status.webhook.as_ref().map(what) != Some(what(&evidence));
    let end = matches!(
        situation,
        Situation::Completed { .. } | Situation::AlreadyReplayed { .. } | Situation::Failed { .. } | Situation::Over(_)
    );
    let intended = matches!(situation, Situation::Intended(_));
    if let Some(submission) = status.submission.as_mut().filter(|_| intended) {
        submission.webhook = Some(evidence.clone());
    }
    if news || end || intended {
        status.webhook = Some(evidence);
    }
}

fn evidence(reading: &WebhookReading, before: Option<&WebhookEvidence>) -> WebhookEvidence {
    let mut evidence = before.cloned().unwrap_or_default();
    match &reading.config {
        Ok(webhook) => {
            evidence.enabled = Some(reading.is_on());
            evidence.destination_id = webhook.destination().as_deref().map(bounded);
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
        // There is a token now; whether it works is not known before the next call.
        _ if o.learned.token == Some(Ok(())) && said::lacks_token(&o.status()) => {
            conditions.remove(&ConditionType::CredentialsValid);
        }
        _ => {}
    }
}

fn webhook_ready(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    if matches!(situation, Situation::UnknownPortal { .. }) {
        // False, and not Unknown: how long a webhook could not be looked at is another matter.
        let message = messages::message(o, situation);
        conditions.set(ConditionType::WebhookReady, ConditionStatus::False, Reason::PortalNotFound, &message);
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
        Ok(_) if !reading.is_on() => (ConditionStatus::False, Reason::WebhookDisabled),
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
        Situation::Underway { submission, .. } => accepted(o, submission, conditions),
        Situation::Over(_) => {
            let reason = messages::reason(o, situation);
            conditions.set(ConditionType::Submitted, ConditionStatus::False, reason, &message);
        }
        _ if is_answer(situation) && refused(o, conditions) => {
            conditions.set(ConditionType::Submitted, ConditionStatus::False, messages::reason(o, situation), &message);
        }
        _ => {}
    }
}

fn accepted(o: &Observed, submission: &Submission, conditions: &mut Conditions) {
    let asked = o.spec.window;
    let shown = submission.accepted.as_ref().map(record::remote_job).as_ref().and_then(window::of_remote);
    let (reason, message) = if submission.state == SubmissionState::Adopted {
        (Reason::Adopted, "Konnect was already replaying this very window; nothing was sent.")
    } else if asked.is_some_and(|asked| retention::is_clamped(submission.window, asked)) {
        let message = "Konnect accepted the replay of what it still has: the window was shortened, see status.window.";
        (Reason::WindowClamped, message)
    } else {
        (Reason::Accepted, "Konnect accepted the replay.")
    };
    let rounded = shown.filter(|shown| *shown != submission.window);
    let rounded = rounded.map(|shown| format!(" Konnect shows the window as {}.", window::span(shown)));
    let message = format!("{message}{}", rounded.unwrap_or_default());
    conditions.set(ConditionType::Submitted, ConditionStatus::True, reason, &message);
}

/// Whether this can be what a request was answered, and not something that came after.
fn is_answer(situation: &Situation) -> bool {
    match situation {
        Situation::Denied(_)
        | Situation::UnknownPortal { .. }
        | Situation::RateLimited
        | Situation::Unavailable(_)
        | Situation::Blocked { .. }
        | Situation::Failed { .. } => true,
        Situation::Pending
        | Situation::TakingOver
        | Situation::Queued { .. }
        | Situation::HeldBack { .. }
        | Situation::Unacceptable(_)
        | Situation::Suspended
        | Situation::WindowOpen { .. }
        | Situation::NoToken(_)
        | Situation::NoWebhook
        | Situation::ClockInDoubt
        | Situation::DefinitionOutdated
        | Situation::Intended(_)
        | Situation::InDoubt { .. }
        | Situation::Underway { .. }
        | Situation::Unrecognisable { .. }
        | Situation::Over(_)
        | Situation::AlreadyReplayed { .. }
        | Situation::Completed { .. } => false,
    }
}

/// Whether what is reported follows from a request that Konnect refused.
fn refused(o: &Observed, conditions: &Conditions) -> bool {
    conditions.submission_state() == Some(&SubmissionState::Intended) && o.was_refused()
}
