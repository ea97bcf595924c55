//! What is shown of given objects and events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::metrics::figures::{Busy, Figures};
use konnect_replay_core::api::{ApiVersion, AuditLogReplayJob, Reason};
use konnect_replay_core::konnect::{Webhook, WebhookStatus};

const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";

fn config() -> Config {
    Config::of_flags(&["--regions=eu,us"]).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn job(region: &str, status: &Value) -> AuditLogReplayJob {
    serde_json::from_value(json!({
        "apiVersion": "konnect-replay.dev/v1alpha1",
        "kind": "AuditLogReplayJob",
        "metadata": { "name": "secret-name", "namespace": "secret-namespace", "creationTimestamp": "2026-11-21T11:00:00Z" },
        "spec": {
            "target": { "region": region, "portalID": PORTAL },
            "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T11:30:00Z" },
            "tokenSecretRef": { "name": "secret-secret" },
        },
        "status": status,
    }))
    .unwrap()
}

fn says(reason: &str) -> Value {
    condition("Ready", "False", reason)
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({ "type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-11-21T11:00:00Z" })
}

fn unfinished(reason: &str) -> AuditLogReplayJob {
    job("eu", &json!({ "conditions": [says(reason)] }))
}

fn complete(at: &str, code: Option<i32>) -> AuditLogReplayJob {
    let conditions = ["Complete", "Finished", "Ready"].map(|type_| condition(type_, "True", "Completed"));
    let webhook = json!({ "enabled": true, "lastResponseCode": code });
    job("eu", &json!({ "conditions": conditions, "completionTime": at, "webhook": webhook }))
}

fn failed(at: &str) -> AuditLogReplayJob {
    let conditions = ["Failed", "Finished"].map(|type_| condition(type_, "True", "WindowExpired"));
    job("eu", &json!({ "conditions": conditions, "failedTime": at }))
}

fn figures(jobs: &[AuditLogReplayJob]) -> Figures {
    let (names, mut figures) = (Names::new(&["eu".to_owned()]), Figures::default());
    let policy = config().policy;
    for job in jobs {
        figures.add(job, &names, &policy, now());
    }
    figures
}

fn place() -> Place {
    Place { konnect_region: "eu".to_owned(), portal: "6b1e4f0c".to_owned() }
}

fn metrics_of(jobs: Vec<AuditLogReplayJob>) -> Metrics {
    let metrics = Metrics::new(&config());
    metrics.leading(Box::new(move |visitor| {
        jobs.iter().map(Some).for_each(visitor);
        true
    }));
    metrics
}

#[test]
fn every_reason_of_an_unfinished_job_is_one_of_the_states() {
    for (reason, state) in [
        ("Pending", JobState::Pending),
        ("Queued", JobState::Queued),
        ("WaitingForWindowEnd", JobState::Waiting),
        ("WaitingForWebhook", JobState::NeedsWebhook),
        ("WaitingForCredentials", JobState::NeedsCredentials),
        ("BlockedByRemoteJob", JobState::Blocked),
        ("Submitting", JobState::Submitting),
        ("Accepted", JobState::Running),
        ("RemotePending", JobState::Running),
        ("Running", JobState::Running),
        ("Adopted", JobState::Running),
        ("RemoteFailed", JobState::Retrying),
        ("Superseded", JobState::Retrying),
        ("NotTaken", JobState::Retrying),
        ("RemoteStateUnknown", JobState::Running),
        ("RateLimited", JobState::Unavailable),
        ("KonnectUnavailable", JobState::Unavailable),
        ("PortalNotFound", JobState::UnknownPortal),
        ("InvalidWindow", JobState::Invalid),
        ("InvalidRequest", JobState::Invalid),
        ("RegionNotAllowed", JobState::Invalid),
        ("DefinitionOutdated", JobState::Invalid),
        ("ClockInDoubt", JobState::Pending),
        ("Suspended", JobState::Suspended),
        ("OfAVersionToCome", JobState::Pending),
    ] {
        assert_eq!(JobState::of(&unfinished(reason)), state, "{reason}");
    }
    assert_eq!(JobState::of(&job("eu", &json!(null))), JobState::Pending);
    assert_eq!(JobState::of(&complete("2026-11-21T11:00:00Z", None)), JobState::Complete);
    assert_eq!(JobState::of(&failed("2026-11-21T11:00:00Z")), JobState::Failed);
}

#[test]
fn a_run_whose_end_went_unseen_waits_for_its_repeat() {
    let submission = json!({ "id": "a", "attempt": 1, "state": "EndedUnseen", "intentTime": "2026-11-21T11:00:00Z",
        "window": { "startAt": "2026-11-20T08:00:00Z", "endAt": "2026-11-20T11:30:00Z" } });
    let job = job("eu", &json!({ "conditions": [says("RemoteStateUnknown")], "submission": submission }));
    assert_eq!(JobState::of(&job), JobState::Retrying);
}

#[test]
fn the_window_that_expires_first_counts_and_finished_ones_do_not() {
    let mut sooner = unfinished("Suspended");
    sooner.spec.window.start_at = "2026-11-14T18:00:00Z".to_owned();
    let mut done = complete("2026-11-21T11:00:00Z", None);
    done.spec.window.start_at = "2026-11-14T12:30:00Z".to_owned();
    let shown = figures(&[unfinished("Queued"), sooner, done]).to_expiry;
    assert_eq!(shown.into_iter().collect::<Vec<_>>(), [(place(), 6 * 3600)]);
}

#[test]
fn a_window_that_is_being_deleted_counts_below_zero() {
    let mut late = unfinished("Queued");
    late.spec.window.start_at = "2026-11-14T11:59:00Z".to_owned();
    assert_eq!(figures(&[late]).to_expiry[&place()], -60);
}

#[test]
fn a_lane_is_kept_by_ours_by_a_stranger_or_by_nobody() {
    let busy = |reason| figures(&[unfinished(reason)]).busy[&place()];
    assert_eq!(busy("Queued"), Busy { ours: false, external: false });
    assert_eq!(busy("Running"), Busy { ours: true, external: false });
    assert_eq!(busy("Submitting"), Busy { ours: true, external: false });
    assert_eq!(busy("BlockedByRemoteJob"), Busy { ours: false, external: true });
    assert!(figures(&[failed("2026-11-21T11:00:00Z")]).busy.is_empty());
}

#[test]
fn ends_are_told_by_the_latest_of_each_kind() {
    let shown = figures(&[
        complete("1970-01-01T00:00:50Z", Some(200)),
        complete("1970-01-01T00:00:40Z", Some(503)),
        complete("1970-01-01T00:00:30Z", Some(503)),
        failed("1970-01-01T00:00:20Z"),
        failed("1970-01-01T00:00:10Z"),
    ]);
    let eu = |times: &std::collections::BTreeMap<String, i64>| times["eu"];
    assert_eq!((eu(&shown.last_success), eu(&shown.last_undelivered), eu(&shown.last_failure)), (50, 40, 20));
}

#[test]
fn a_success_outlives_its_object() {
    let metrics = metrics_of(Vec::new());
    let end = konnect_replay_core::replay::End {
        complete: true,
        reason: "Completed".to_owned(),
        at: "1970-01-01T00:01:00Z".parse().unwrap(),
        took: Duration::from_secs(5),
    };
    metrics.changed("eu", &Change::Finished(end));
    let text = metrics.encode().unwrap();
    assert!(text.contains("auditlogreplay_last_success_timestamp_seconds{konnect_region=\"eu\"} 60"), "{text}");
}

#[test]
fn one_that_stands_by_shows_no_objects() {
    let metrics = Metrics::new(&config());
    let text = metrics.encode().unwrap();
    assert!(text.contains("auditlogreplay_leader 0"), "{text}");
    assert!(!text.contains("auditlogreplay_jobs{"), "{text}");
    metrics.leading(Box::new(|_| false));
    let text = metrics.encode().unwrap();
    assert!(text.contains("auditlogreplay_leader 1") && !text.contains("auditlogreplay_jobs{"), "{text}");
}

#[test]
fn every_state_of_every_region_is_shown_and_names_of_objects_are_not() {
    let text = metrics_of(vec![unfinished("Queued"), job("zz", &json!(null))]).encode().unwrap();
    assert_eq!(text.matches("auditlogreplay_jobs{").count(), 3 * JobState::ALL.len(), "{text}");
    assert!(text.contains("auditlogreplay_jobs{konnect_region=\"eu\",state=\"queued\"} 1"), "{text}");
    assert!(text.contains("auditlogreplay_jobs{konnect_region=\"other\",state=\"pending\"} 1"), "{text}");
    assert!(!text.contains("secret") && !text.contains("zz"), "{text}");
}

fn target() -> RemoteTarget {
    RemoteTarget {
        base_url: "https://eu.api.konghq.com".to_owned(),
        region: "eu".to_owned(),
        portal_id: Some(PORTAL.to_owned()),
        version: ApiVersion::V2,
    }
}

#[test]
fn calls_count_by_what_was_answered() {
    let metrics = Metrics::new(&config());
    let took = Duration::from_millis(200);
    metrics.called(&target(), "PUT", Ok(409), took);
    metrics.called(&target(), "GET", Ok(409), took);
    metrics.called(&target(), "GET", Ok(429), took);
    metrics.called(&target(), "GET", Ok(999), took);
    metrics.called(&target(), "GET", Err(&CallError::NotConnected(String::new())), took);
    let text = metrics.encode().unwrap();
    for line in [
        "auditlogreplay_conflicts_total{konnect_region=\"eu\"} 1",
        "auditlogreplay_conflicts_total{konnect_region=\"us\"} 0",
        "auditlogreplay_rate_limited_total{konnect_region=\"eu\"} 1",
        "auditlogreplay_konnect_requests_total{konnect_region=\"eu\",method=\"GET\",code=\"other\"} 1",
        "auditlogreplay_konnect_requests_total{konnect_region=\"eu\",method=\"GET\",code=\"not_connected\"} 1",
        "auditlogreplay_konnect_request_duration_seconds_count{konnect_region=\"eu\",method=\"GET\"} 4",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
    }
}

#[test]
fn a_webhook_is_shown_as_it_was_read_and_an_unread_one_is_not() {
    let reading = |enabled, word: &str| WebhookReading {
        config: Ok(Webhook { enabled: Some(enabled), ..Webhook::default() }),
        status: Some(WebhookStatus { webhook_status: Some(word.to_owned()), ..WebhookStatus::default() }),
    };
    let metrics = metrics_of(Vec::new());
    metrics.webhook(&target(), &WebhookReading { config: Err(CallError::NoAnswer(String::new())), status: None });
    assert!(!metrics.encode().unwrap().contains("auditlogreplay_webhook"));
    metrics.webhook(&target(), &reading(true, "inactive"));
    let text = metrics.encode().unwrap();
    assert!(text.contains("auditlogreplay_webhook_enabled{konnect_region=\"eu\",portal=\"6b1e4f0c\"} 1"), "{text}");
    assert!(text.contains("auditlogreplay_webhook_active{konnect_region=\"eu\",portal=\"6b1e4f0c\"} 0"), "{text}");
    metrics.webhook(&target(), &reading(false, "active"));
    let text = metrics.encode().unwrap();
    assert!(text.contains("auditlogreplay_webhook_enabled{konnect_region=\"eu\",portal=\"6b1e4f0c\"} 0"), "{text}");
    assert!(!text.contains("webhook_active"), "what is off is not active or inactive");
}

#[test]
fn passes_count_when_they_end_and_are_under_way_until_then() {
    let metrics = Metrics::new(&config());
    let pass = metrics.pass();
    let text = metrics.encode().unwrap();
    assert!(text.contains("controller_runtime_active_workers{controller=\"auditlogreplayjob\"} 1"), "{text}");
    pass.end(PassResult::Panic);
    drop(metrics.pass());
    metrics.pass().end(PassResult::RequeueAfter);
    let text = metrics.encode().unwrap();
    for line in [
        "controller_runtime_active_workers{controller=\"auditlogreplayjob\"} 0",
        "controller_runtime_max_concurrent_reconciles{controller=\"auditlogreplayjob\"} 16",
        "controller_runtime_reconcile_total{controller=\"auditlogreplayjob\",result=\"error\"} 1",
        "controller_runtime_reconcile_total{controller=\"auditlogreplayjob\",result=\"requeue_after\"} 1",
        "controller_runtime_reconcile_total{controller=\"auditlogreplayjob\",result=\"success\"} 0",
        "controller_runtime_reconcile_errors_total{controller=\"auditlogreplayjob\"} 1",
        "controller_runtime_reconcile_panics_total{controller=\"auditlogreplayjob\"} 1",
        "controller_runtime_reconcile_time_seconds_count{controller=\"auditlogreplayjob\"} 2",
        "workqueue_retries_total{name=\"auditlogreplayjob\",controller=\"auditlogreplayjob\"} 1",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
    }
}

#[test]
fn an_end_counts_under_its_reason_and_where_it_has_a_name_of_its_own() {
    let metrics = Metrics::new(&config());
    for (complete, reason) in [(true, "AlreadyReplayed"), (false, "WindowExpired"), (false, "OfAVersionToCome")] {
        let end = konnect_replay_core::replay::End {
            complete,
            reason: reason.to_owned(),
            at: now(),
            took: Duration::from_mins(2),
        };
        metrics.changed("eu", &Change::Finished(end));
    }
    let text = metrics.encode().unwrap();
    for line in [
        "auditlogreplay_duplicates_skipped_total{konnect_region=\"eu\"} 1",
        "auditlogreplay_windows_expired_total{konnect_region=\"eu\"} 1",
        "auditlogreplay_jobs_finished_total{konnect_region=\"eu\",outcome=\"complete\",reason=\"AlreadyReplayed\"} 1",
        "auditlogreplay_jobs_finished_total{konnect_region=\"eu\",outcome=\"failed\",reason=\"other\"} 1",
        "auditlogreplay_job_duration_seconds_bucket{le=\"300.0\",konnect_region=\"eu\",outcome=\"failed\"} 2",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
    }
}

#[test]
fn every_reason_can_be_read_back() {
    assert!(Reason::ALL.iter().all(|reason| Reason::parse(reason.as_str()) == Some(*reason)));
    assert_eq!(Reason::parse("OfAVersionToCome"), None);
}
