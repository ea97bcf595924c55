//! What holds of every status, whatever happened (invariants I4 and I8 of docs/guarantees.md).

use crate::api::{
    AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, MAX_CONDITIONS,
    MAX_MESSAGE_CHARS, Reason,
};

pub(super) fn condition<'a>(status: &'a AuditLogReplayJobStatus, type_: &ConditionType) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == *type_)
}

pub(super) fn is_true(status: &AuditLogReplayJobStatus, type_: &ConditionType) -> bool {
    condition(status, type_).is_some_and(|c| c.status == ConditionStatus::True)
}

/// Checks one status write: what it says, and what it changed.
pub(super) fn check(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus, job: &AuditLogReplayJob) {
    assert_ne!(before, after, "a write that changes nothing");
    assert_eq!(Some(after.observed_generation), job.metadata.generation);
    in_order_and_bounded(after);
    exclusive(after);
    transitions(before, after);
    the_end_stays(before, after);
    assert!(after.attempts >= before.attempts && after.conflicts >= before.conflicts, "counters only grow");
}

fn in_order_and_bounded(status: &AuditLogReplayJobStatus) {
    let places: Vec<usize> =
        status.conditions.iter().filter_map(|c| ConditionType::ORDER.iter().position(|t| *t == c.type_)).collect();
    let known = status.conditions.iter().take(places.len());
    assert!(known.into_iter().all(|c| ConditionType::ORDER.contains(&c.type_)), "those of other versions come last");
    assert!(status.conditions.len() <= MAX_CONDITIONS);
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "each once, in the fixed order: {places:?}");
    for condition in &status.conditions {
        assert!(condition.message.chars().count() <= MAX_MESSAGE_CHARS, "{}", condition.message);
        assert!(!condition.message.is_empty());
        assert!(Reason::ALL.iter().any(|r| r.as_str() == condition.reason), "{}", condition.reason);
    }
}

fn exclusive(status: &AuditLogReplayJobStatus) {
    use ConditionType::{Complete, Failed, Finished, Ready, Reconciling, Stalled, Suspended};
    let on = |type_: &ConditionType| is_true(status, type_);
    assert!(!(on(&Complete) && on(&Failed)), "Complete and Failed exclude each other");
    assert_eq!(on(&Complete) || on(&Failed), on(&Finished), "Finished is either");
    assert_eq!(on(&Complete), on(&Ready), "Ready is Complete");
    assert_eq!(on(&Complete), status.completion_time.is_some(), "completionTime is for success only");
    assert_eq!(on(&Failed), status.failed_time.is_some());
    let abnormal = [&Reconciling, &Stalled, &Suspended].into_iter().filter(|t| on(t)).count();
    if on(&Complete) {
        assert_eq!(abnormal, 0, "nothing is left to do");
    } else if on(&Failed) {
        assert!(on(&Stalled) && !on(&Reconciling) && !on(&Suspended), "a failed job is stalled");
    } else {
        assert_eq!(abnormal, 1, "an unfinished job is at work, stuck, or held back: {:?}", status.conditions);
    }
}

fn transitions(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) {
    for new in &after.conditions {
        if let Some(old) = condition(before, &new.type_) {
            let moved = old.last_transition_time != new.last_transition_time;
            assert!(!moved || old.status != new.status, "{} moved without a change of status", new.type_);
        }
    }
}

fn the_end_stays(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) {
    if is_true(before, &ConditionType::Finished) {
        let mut followed = AuditLogReplayJobStatus { observed_generation: after.observed_generation, ..before.clone() };
        followed.conditions.iter_mut().for_each(|c| c.observed_generation = Some(after.observed_generation));
        assert_eq!(&followed, after, "after the end only observedGeneration follows an edit");
    }
}
