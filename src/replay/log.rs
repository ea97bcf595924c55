//! What the log says: one line for each change of state, one for each answer to a request, one for each pass that failed.

use kube::ResourceExt;
use tracing::{error, info, warn};

use crate::runtime::pass::PassError;
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use konnect_replay_core::replay::{PutAnswer, Step};

/// One line for a pass that could not be ended as decided.
pub(super) fn failure(job: &AuditLogReplayJob, why: &PassError) {
    let (namespace, name, uid, region) = (job.namespace(), job.name_any(), job.uid(), &job.spec.target.region);
    match why {
        PassError::Kube(error) => warn!(namespace, name, uid, region, %error, "pass not finished, will be tried again"),
        PassError::Circles(_) | PassError::Panicked => {
            error!(namespace, name, uid, region, error = %why, "bug, please report");
        }
    }
}

/// A step in words.
pub(super) fn name(step: &Step) -> &'static str {
    match step {
        Step::TakeTurn => "take turn",
        Step::ReadToken => "read token",
        Step::ReadWebhook { .. } => "read webhook",
        Step::ReadRemoteJob => "read remote job",
        Step::ReadOtherVersion => "read other version",
        Step::ReadSiblings => "read siblings",
        Step::WriteIntent(_) => "write intent",
        Step::Submit { .. } => "submit",
        Step::WriteStatus(_) => "write status",
        Step::Delete => "delete",
        Step::Wait { .. } => "wait",
        Step::AwaitChange => "await change",
    }
}

/// One line per change of state; with the trace id of Konnect's last answer, if that was an error.
pub(super) fn transition(before: &AuditLogReplayJob, after: &AuditLogReplayJob, trace_id: Option<&str>) {
    let ready = |job: &AuditLogReplayJob| {
        let conditions = job.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        let ready = conditions.iter().find(|c| c.type_ == ConditionType::Ready);
        ready.map(|c| (c.reason.clone(), c.message.clone()))
    };
    if let Some((reason, message)) = ready(after).filter(|now| ready(before).as_ref() != Some(now)) {
        let (namespace, name, uid) = (after.namespace(), after.name_any(), after.uid());
        let (region, attempt) = (&after.spec.target.region, attempt(after));
        info!(namespace, name, uid, region, attempt, trace_id, reason, "{message}");
    }
}

/// One line for an object that has lived as long as it asked for.
pub(super) fn deleted(job: &AuditLogReplayJob) {
    let (namespace, name, uid) = (job.namespace(), job.name_any(), job.uid());
    info!(namespace, name, uid, "deleted, as spec.ttlSecondsAfterFinished says");
}

/// One line for each answer to a request.
pub(super) fn answer(job: &AuditLogReplayJob, to_put: &PutAnswer) {
    let (namespace, name, uid) = (job.namespace(), job.name_any(), job.uid());
    let (region, attempt) = (&job.spec.target.region, attempt(job));
    match to_put {
        PutAnswer::Taken(_) => info!(namespace, name, uid, region, attempt, "Konnect took the request"),
        PutAnswer::Refused(error) => {
            let trace_id = error.trace_id();
            info!(namespace, name, uid, region, attempt, trace_id, %error, "Konnect refused the request");
        }
        PutAnswer::NotShown(why) | PutAnswer::InDoubt(why) => {
            warn!(namespace, name, uid, region, attempt, why, "the outcome of the request is not known");
        }
    }
}

/// Which try the last recorded request is.
fn attempt(job: &AuditLogReplayJob) -> Option<u32> {
    job.status.as_ref()?.submission.as_ref().map(|submission| submission.attempt)
}
