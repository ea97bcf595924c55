//! What a status says: the readers beside the writer in `report`.

use chrono::{DateTime, Utc};

use crate::api::{AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, Reason};

/// The state in one word, as it stands in the object.
pub fn ready_reason(status: &AuditLogReplayJobStatus) -> Option<&str> {
    status.conditions.iter().find(|c| c.type_ == ConditionType::Ready).map(|c| c.reason.as_str())
}

/// Whether the object says one of these of itself.
pub fn says_one_of(status: &AuditLogReplayJobStatus, reasons: &[Reason]) -> bool {
    ready_reason(status).is_some_and(|said| reasons.iter().any(|reason| reason.as_str() == said))
}

/// Whether a job is over, by its conditions, as batch/v1 has it.
pub(crate) fn is_finished(status: &AuditLogReplayJobStatus) -> bool {
    let ended = |c: &ConditionType| matches!(c, ConditionType::Complete | ConditionType::Failed);
    status.conditions.iter().any(|c| ended(&c.type_) && c.status == ConditionStatus::True)
}

/// Whether the job has completed, or was found to have been done before.
pub(crate) fn is_complete(status: &AuditLogReplayJobStatus) -> bool {
    status.conditions.iter().any(|c| c.type_ == ConditionType::Complete && c.status == ConditionStatus::True)
}

/// Since when the object has said Suspended, if it does.
pub(crate) fn suspended_since(status: &AuditLogReplayJobStatus) -> Option<DateTime<Utc>> {
    let suspended = |c: &&Condition| c.type_ == ConditionType::Suspended && c.status == ConditionStatus::True;
    status.conditions.iter().find(suspended).map(|c| c.last_transition_time)
}

/// Whether the object says that there is no token to use, which is not that Konnect refused one.
pub(crate) fn lacks_token(status: &AuditLogReplayJobStatus) -> bool {
    let missing = [Reason::SecretNotFound, Reason::SecretUnanswered, Reason::SecretKeyMissing, Reason::InvalidToken];
    let credentials = status.conditions.iter().find(|c| c.type_ == ConditionType::CredentialsValid);
    credentials.is_some_and(|c| c.status == ConditionStatus::False && missing.iter().any(|r| r.as_str() == c.reason))
}
