//! What a write of the status changed, in facts that are counted once each.

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::fixtures::*;
use crate::api::{
    AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionStatus, ConditionType, Reason, Retries,
    SubmissionState,
};
use crate::replay::{Change, End, changes, planned_expiry};

/// When every object here was created: ten minutes before its first request.
const CREATED: &str = "2026-11-21T10:50:00Z";

fn created(job: JobBuilder) -> AuditLogReplayJob {
    let mut job = job.build();
    job.metadata.creation_timestamp = Some(Time(CREATED.parse().unwrap()));
    job
}

fn finished(mut job: AuditLogReplayJob, type_: ConditionType, reason: Reason) -> AuditLogReplayJob {
    let status = job.status.as_mut().unwrap();
    let end = at("2026-11-21T12:50:00Z");
    match type_ {
        ConditionType::Complete => status.completion_time = Some(end),
        _ => status.failed_time = Some(end),
    }
    status.conditions = [type_, ConditionType::Finished, ConditionType::Ready]
        .map(|type_| Condition {
            type_,
            status: ConditionStatus::True,
            observed_generation: Some(1),
            last_transition_time: end,
            reason: reason.as_str().to_owned(),
            message: String::new(),
        })
        .to_vec();
    job
}

fn between(before: &AuditLogReplayJob, after: &AuditLogReplayJob) -> Vec<Change> {
    changes(before, after, &policy())
}

fn with_status(mut job: AuditLogReplayJob, change: impl FnOnce(&mut AuditLogReplayJobStatus)) -> AuditLogReplayJob {
    change(job.status.as_mut().unwrap());
    job
}

#[test]
fn the_first_request_tells_how_long_it_was_waited_for() {
    let (before, after) = (created(job()), created(job().intended()));
    assert_eq!(between(&before, &after), [Change::Began { waited: mins(10) }]);
}

#[test]
fn nobody_waits_before_the_window_is_ready() {
    // It ended at 10:57, and was ready to be sent a minute later.
    let job = || job().window("2026-11-21T08:00:00Z", "2026-11-21T10:57:00Z");
    assert_eq!(between(&created(job()), &created(job().intended())), [Change::Began { waited: mins(2) }]);
}

#[test]
fn a_request_is_taken_once() {
    let (intended, submitted) = (created(job().intended()), created(job().submitted()));
    let later = with_status(created(job().submitted()), |status| {
        let submission = status.submission.as_mut().unwrap();
        submission.accepted_time = Some(submission.intent_time + TimeDelta::seconds(70));
    });
    assert_eq!(between(&intended, &submitted), [Change::Accepted { after: secs(0) }]);
    assert_eq!(between(&intended, &later), [Change::Accepted { after: secs(70) }]);
    assert_eq!(between(&submitted, &submitted), []);
    // Found again after it had been taken for lost: it is the same request.
    let lost = created(job().with_submission(SubmissionState::Superseded));
    let lost = with_status(lost, |status| {
        status.submission.as_mut().unwrap().accepted_time = Some(at("2026-11-21T11:00:00Z"));
    });
    assert_eq!(between(&lost, &submitted), []);
}

#[test]
fn an_adopted_run_is_neither_a_request_nor_adopted_twice() {
    let (before, after) = (created(job()), created(job().adopted()));
    assert_eq!(between(&before, &after), [Change::Began { waited: mins(10) }, Change::Adopted]);
    assert_eq!(between(&after, &after), []);
}

#[test]
fn each_time_a_submission_was_lost_from_view_counts() {
    let lost = |times| {
        with_status(created(job().with_submission(SubmissionState::Superseded)), |status| {
            status.retries = Some(Retries { superseded: times, failed: 7, ..Retries::default() });
        })
    };
    assert_eq!(between(&lost(1), &lost(2)), [Change::Superseded]);
    assert_eq!(between(&lost(2), &lost(2)), []);
}

#[test]
fn the_end_is_told_once_with_its_reason_and_how_long_it_took() {
    for (type_, reason) in [
        (ConditionType::Complete, Reason::Completed),
        (ConditionType::Complete, Reason::AlreadyReplayed),
        (ConditionType::Failed, Reason::WindowExpired),
    ] {
        let end = End {
            complete: type_ == ConditionType::Complete,
            reason: reason.as_str().to_owned(),
            at: at("2026-11-21T12:50:00Z"),
            took: mins(120),
        };
        let before = created(job().submitted());
        let after = finished(created(job().submitted()), type_, reason);
        assert_eq!(between(&before, &after), [Change::Finished(end)]);
        assert_eq!(between(&after, &after), []);
    }
}

#[test]
fn what_expires_is_what_is_planned_and_else_what_was_asked_for() {
    assert_eq!(planned_expiry(&job().build(), &policy()), Some(at("2026-11-27T08:00:00Z")));
    let clamped = with_status(job().build(), |status| {
        status.window = Some(crate::api::PlannedWindow {
            start_at: at("2026-11-20T09:00:00Z"),
            end_at: at("2026-11-20T11:30:00Z"),
            expires_at: at("2026-11-27T09:00:00Z"),
            clamped: true,
        });
    });
    assert_eq!(planned_expiry(&clamped, &policy()), Some(at("2026-11-27T09:00:00Z")));
    assert_eq!(planned_expiry(&job().window("soon", "later").build(), &policy()), None);
}
