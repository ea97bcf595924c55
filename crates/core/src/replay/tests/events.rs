//! Which Events a life brings, and which it does not.

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::fixtures::*;
use super::konnect::{Put, deliveries, webhook};
use super::story::{Story, story};
use crate::api::AuditLogReplayJobStatus;
use crate::konnect::{ApiError, CallError, TokenError};
use crate::replay::report::events::{Announcer, Event, EventKind, EventReason, look_again};
use crate::replay::{Clock, TokenProblem, Turn};

/// The Events that follow from all writes of a story, in order.
fn events(s: &Story) -> Vec<Event> {
    let mut announcer = Announcer::default();
    let mut before = AuditLogReplayJobStatus::default();
    let mut events = Vec::new();
    for (n, after) in s.writes.iter().enumerate() {
        let mut job = s.job.clone();
        (job.status, job.metadata.resource_version) = (Some(after.clone()), Some(n.to_string()));
        events.extend(announcer.written(&before, &job, Some("kong:trace:7"), s.clock));
        before = after.clone();
    }
    events
}

fn reasons(s: &Story) -> Vec<&'static str> {
    events(s).iter().map(|event| event.reason.as_str()).collect()
}

fn conflict(trace: &str) -> CallError {
    CallError::Api(ApiError { status: 409, trace_id: Some(trace.to_owned()), ..ApiError::default() })
}

#[test]
fn a_life_without_trouble_has_one_event_for_each_step_that_matters() {
    let mut s = story(job());
    s.turn = Some(Turn::Behind { blocked_by: "first".to_owned() });
    s.pass();
    s.turn = None;
    s.wait().konnect_says("pending").konnect_says("running").konnect_says("completed");
    assert_eq!(reasons(&s), ["Queued", "Submitted", "Running", "Completed"]);
    assert!(events(&s).iter().all(|event| event.reason.kind() == EventKind::Normal));
    let window = "2026-11-20T08:00:00Z to 2026-11-20T11:30:00Z";
    assert!(events(&s)[1..].iter().all(|event| event.note.contains(window)), "{:#?}", events(&s));
}

#[test]
fn polls_and_repeated_tries_bring_no_events() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass().run_for(mins(120));
    assert_eq!(reasons(&s), ["Conflict"]);
    let mut s = story(job()).every_put_is(Put::Refused(api(401)));
    s.pass().run_for(mins(120));
    assert_eq!(reasons(&s), ["Unauthorized"]);
    let mut s = story(job());
    s.pass().konnect_says("running").run_for(mins(120));
    assert_eq!(reasons(&s), ["Submitted", "Running"]);
}

#[test]
fn an_adopted_run_and_a_skipped_window_say_so() {
    let mut s = story(job()).konnect_has(ours("running"));
    s.pass().konnect_says("completed");
    assert_eq!(reasons(&s), ["Adopted", "Running", "Completed"]);
    let mut s = story(job()).konnect_has(ours("completed"));
    s.pass();
    assert_eq!(reasons(&s), ["AlreadyReplayed"]);
}

#[test]
fn a_run_that_fails_is_told_of_each_time_and_at_last_that_it_is_given_up() {
    let mut s = story(job().with(|spec| spec.backoff_limit = 1));
    s.pass().konnect_says("failed").until("Accepted").konnect_says("failed");
    assert_eq!(reasons(&s), ["Submitted", "RemoteFailed", "Submitted", "BackoffLimitExceeded"]);
}

#[test]
fn a_run_lost_from_view_and_found_again_is_not_told_of_as_another() {
    let mut s = story(job().submitted()).konnect_has(strangers("completed"));
    s.pass().until("Superseded");
    s.konnect.job = ours("running");
    s.until("Running");
    assert_eq!(reasons(&s), ["Superseded", "Running"], "and no second Submitted");
}

#[test]
fn trouble_that_somebody_has_to_mend_is_told_once_and_again_when_it_changes() {
    let mut s = story(job());
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass().run_for(mins(20));
    s.token = Err(TokenProblem::KeyMissing);
    s.run_for(mins(20));
    s.token = Err(TokenProblem::Invalid(TokenError::Empty));
    s.run_for(mins(20));
    s.token = Ok(());
    s.run_for(mins(2));
    assert_eq!(reasons(&s)[..4], ["SecretNotFound", "SecretKeyMissing", "InvalidToken", "Submitted"]);

    let mut s = story(job());
    s.konnect.webhook = Ok(webhook(false));
    s.pass().run_for(mins(20));
    s.konnect.webhook = Ok(webhook(true));
    s.konnect.webhook_status = Some(deliveries("inactive", 503));
    s.run_for(mins(2));
    assert_eq!(reasons(&s)[..3], ["WebhookDisabled", "WebhookInactive", "Submitted"]);
}

#[test]
fn what_needs_another_object_is_told() {
    for (job, reason) in [
        (job().in_region("xx"), "RegionNotAllowed"),
        (job().window("tomorrow", "2026-11-22T08:00:00Z"), "InvalidWindow"),
        (job().for_portal(None), "InvalidRequest"),
        (job().window("2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z"), "WindowExpired"),
    ] {
        let mut s = story(job);
        s.pass();
        assert_eq!(reasons(&s), [reason]);
        assert_eq!(events(&s)[0].reason.kind(), EventKind::Warning);
    }
}

/// Made from an old manifest: it is Failed and says why, and nobody is woken for it.
#[test]
fn a_window_that_was_gone_before_the_object_was_made_is_no_alarm() {
    for (made, kind, says) in
        [("2026-11-21T11:59:00Z", EventKind::Normal, true), ("2026-11-01T11:00:00Z", EventKind::Warning, false)]
    {
        let mut s = story(job().window("2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z"));
        s.job.metadata.creation_timestamp = Some(Time(crate::api::to_micro_time(at(made)).0));
        s.pass();
        let event = &events(&s)[0];
        assert_eq!((event.reason, event.kind), (EventReason::WindowExpired, kind), "made at {made}");
        assert_eq!(
            event.note.contains("before this object was made, so nothing was lost by waiting"),
            says,
            "{}",
            event.note
        );
        assert_eq!(s.message().contains("nothing was lost by waiting"), says, "{}", s.message());
    }
}

#[test]
fn only_what_konnect_answered_has_a_trace_id() {
    let mut s = story(job()).every_put_is(Put::Refused(api(403)));
    s.pass();
    assert!(events(&s)[0].note.ends_with("(Konnect trace kong:trace:7)"), "{:?}", events(&s));
    let mut s = story(job());
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass();
    assert!(!events(&s)[0].note.contains("trace"), "{:?}", events(&s));
}

#[test]
fn conflicts_are_told_once_in_ten_minutes() {
    let (mut announcer, status) = (Announcer::default(), AuditLogReplayJobStatus::default());
    let mut clock = Clock { wall: at(NOW), mono: secs(50) };
    let told: Vec<String> = (0..40)
        .filter_map(|n| {
            clock = Clock { wall: clock.wall + TimeDelta::minutes(1), mono: clock.mono + mins(1) };
            announcer.refused(&status, &format!("id-{n}"), &conflict("abc"), clock).map(|event| event.key)
        })
        .collect();
    assert_eq!(told, ["conflict-id-0", "conflict-id-10", "conflict-id-20", "conflict-id-30"]);
    assert!(announcer.refused(&status, "id", &api(500), clock).is_none(), "only a 409 is a conflict");
}

#[test]
fn after_a_restart_a_conflict_on_record_counts_as_told() {
    let clock = Clock { wall: at(NOW), mono: secs(5) };
    let conflict_was = |minutes| AuditLogReplayJobStatus {
        last_conflict_time: Some(clock.wall - TimeDelta::minutes(minutes)),
        ..AuditLogReplayJobStatus::default()
    };
    assert!(Announcer::default().refused(&conflict_was(9), "id", &conflict("abc"), clock).is_none());
    assert!(Announcer::default().refused(&conflict_was(11), "id", &conflict("abc"), clock).is_some());
}

#[test]
fn the_end_of_retention_is_announced_at_24_and_at_6_hours_once_each() {
    let mut s = story(job().suspended()).at_time("2026-11-20T12:00:00Z");
    s.pass();
    let mut announcer = Announcer::default();
    let expires = s.status().window.unwrap().expires_at;
    let mut told = Vec::new();
    while let Some(wait) = look_again(&s.job, s.clock.wall) {
        assert!(wait <= mins(60), "a clock that is set, or a machine that slept, is noticed");
        s.sleep(wait);
        told.extend(announcer.waiting(&s.job, s.clock).map(|event| (event, (expires - s.clock.wall).num_hours())));
    }
    let told: Vec<_> = told.iter().map(|(event, left)| (event.reason.as_str(), event.key.as_str(), *left)).collect();
    let soon = EventReason::WindowExpiringSoon.as_str();
    assert_eq!(told, [(soon, "windowexpiringsoon-24h", 24), (soon, "windowexpiringsoon-6h", 6)]);
    assert!(s.clock.wall >= expires, "and it is looked at when the time has come");
    s.pass();
    assert_eq!(s.reason(), "WindowExpired");
    assert_eq!(look_again(&s.job, s.clock.wall), None);
}

#[test]
fn an_object_made_late_is_told_of_the_nearer_end_only_and_another_process_gives_it_the_same_name() {
    let mut s = story(job().suspended()).at_time("2026-11-27T03:00:00Z");
    s.pass();
    let event = Announcer::default().waiting(&s.job, s.clock).unwrap();
    assert_eq!(event.key, "windowexpiringsoon-6h");
    assert!(event.note.contains("2026-11-27T08:00:00Z") && event.note.contains("spec.suspend"), "{}", event.note);
    assert_eq!(Announcer::default().waiting(&s.job, s.clock).unwrap().key, event.key);
}

#[test]
fn what_is_under_way_or_over_expires_for_nobody() {
    let mut s = story(job()).at_time("2026-11-27T03:00:00Z");
    s.pass();
    assert_eq!((s.reason().as_str(), Announcer::default().waiting(&s.job, s.clock)), ("Accepted", None));
    assert_eq!(look_again(&s.job, s.clock.wall), None);
    s.konnect_says("completed");
    assert_eq!((s.reason().as_str(), Announcer::default().waiting(&s.job, s.clock)), ("Completed", None));
}

#[test]
fn notes_fit_into_1024_bytes_with_the_trace_id_whole() {
    let long = CallError::Api(ApiError {
        status: 409,
        message: Some("ü".repeat(2000)),
        trace_id: Some("kong:trace:9".to_owned()),
        ..ApiError::default()
    });
    let clock = Clock { wall: at(NOW), mono: secs(5) };
    let event = Announcer::default().refused(&AuditLogReplayJobStatus::default(), "id", &long, clock).unwrap();
    assert!((1020..=1024).contains(&event.note.len()), "{}", event.note.len());
    assert!(event.note.ends_with("… (Konnect trace kong:trace:9)"));
}
