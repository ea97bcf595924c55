//! Setting conditions: `lastTransitionTime` moves only with `status`, the order is fixed, messages are bounded.

use chrono::{DateTime, Utc};

use crate::api::{
    AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, MAX_CONDITIONS, MAX_MESSAGE_CHARS, Reason,
    SubmissionState,
};

/// The conditions of a status being made.
pub(super) struct Conditions<'a> {
    status: &'a mut AuditLogReplayJobStatus,
    generation: i64,
    now: DateTime<Utc>,
}

impl<'a> Conditions<'a> {
    pub(super) fn of(status: &'a mut AuditLogReplayJobStatus, generation: i64, now: DateTime<Utc>) -> Self {
        Self { status, generation, now }
    }

    pub(super) fn set(&mut self, type_: ConditionType, status: ConditionStatus, reason: Reason, message: &str) {
        let before = self.find(&type_).filter(|c| c.status == status);
        let condition = Condition {
            last_transition_time: before.map_or(self.now, |c| c.last_transition_time),
            observed_generation: Some(self.generation),
            reason: reason.as_str().to_owned(),
            message: cut(message),
            status,
            type_,
        };
        self.remove(&condition.type_);
        self.status.conditions.push(condition);
    }

    pub(super) fn remove(&mut self, type_: &ConditionType) {
        self.status.conditions.retain(|c| c.type_ != *type_);
    }

    /// Since when a condition that does not hold has not held.
    pub(super) fn since(&self, type_: &ConditionType) -> Option<DateTime<Utc>> {
        let condition = self.find(type_)?;
        (condition.status != ConditionStatus::True).then_some(condition.last_transition_time)
    }

    fn find(&self, type_: &ConditionType) -> Option<&Condition> {
        find(self.status, type_)
    }

    pub(super) fn submission_state(&self) -> Option<&SubmissionState> {
        self.status.submission.as_ref().map(|s| &s.state)
    }

    /// Puts the conditions into their order. Those of unknown types come last, and go where there are more than the schema admits.
    pub(super) fn finish(self) {
        let place = |c: &Condition| ConditionType::ORDER.iter().position(|t| *t == c.type_).unwrap_or(usize::MAX);
        self.status.conditions.sort_by_key(place);
        self.status.conditions.truncate(MAX_CONDITIONS);
    }
}

fn find<'a>(status: &'a AuditLogReplayJobStatus, type_: &ConditionType) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == *type_)
}

/// Whether the object says that Konnect refused its last request, and nothing since.
pub(super) fn says_refused(status: &AuditLogReplayJobStatus) -> bool {
    let standing = status.submission.as_ref().is_some_and(|s| s.state == SubmissionState::Intended);
    let submitted = find(status, &ConditionType::Submitted).filter(|c| c.status == ConditionStatus::False);
    let ready = find(status, &ConditionType::Ready);
    standing && submitted.zip(ready).is_some_and(|(submitted, ready)| submitted.reason == ready.reason)
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        None => message.to_owned(),
        Some(_) => message.chars().take(MAX_MESSAGE_CHARS - 1).chain(['…']).collect(),
    }
}
