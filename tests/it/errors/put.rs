//! Answers to PUT.

use chrono::{TimeDelta, Utc};
use konnect_emulator::{Action, Fault, PathKind, Reply};
use konnect_replay_core::api::ConditionType;
use serde_json::json;

use super::{after_the_effect, answer, date_in, from_the_beginning, portal_id, redirect, reply, row, world};
use crate::support::{World, condition};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_certainly_refused_is_sent_again_and_runs_once() {
    let world = world().await;
    let problem = r#"{"status":403,"title":"Forbidden","instance":"kong:trace:1"}"#;
    let rows = vec![
        row("put-401", Action::status(401)).times(2).shows("WaitingForCredentials").puts(3),
        row("put-403", Action::Answer(reply(403, problem, "application/problem+json")))
            .shows("WaitingForCredentials")
            .puts(2),
        row("put-403-gateway", answer(403, r#"{"message":"Quota Exceeded"}"#)).shows("WaitingForCredentials").puts(2),
        row("put-404", Action::status(404)).times(2).shows("PortalNotFound").puts(3),
        row("put-409", Action::status(409)).times(3).shows("BlockedByRemoteJob").puts(4),
        row("put-413", Action::status(413)).shows("KonnectUnavailable").puts(2),
        row("put-429-seconds", Action::rate_limit(Some("2"))).shows("RateLimited").puts(2),
        row("put-429-date", Action::rate_limit(Some(&date_in(4)))).shows("RateLimited").puts(2),
        row("put-429-past", Action::rate_limit(Some(&date_in(-60)))).times(2).shows("RateLimited").puts(3),
        row("put-429-nonsense", Action::rate_limit(Some("soon"))).shows("RateLimited").puts(2),
        row("put-429-none", Action::rate_limit(None)).shows("RateLimited").puts(2),
    ];
    from_the_beginning(&world, "PUT", PathKind::ReplayJob, rows).await;
    let refused = |call: &&konnect_emulator::Call| call.path.contains(&portal_id(4)) && call.status == Some(409);
    let conflicts = world.emulator.calls().iter().filter(refused).count();
    assert_eq!(world.get("put-409").await.status.unwrap().conflicts as usize, conflicts);
    let spacing = |name: usize| {
        let puts =
            world.emulator.calls().into_iter().filter(|c| c.method == "PUT" && c.path.contains(&portal_id(name)));
        let at: Vec<_> = puts.map(|c| c.at).collect();
        at[1] - at[0]
    };
    assert!(spacing(6) >= TimeDelta::seconds(2), "Retry-After in seconds: {}", spacing(6));
    assert!(spacing(10) >= TimeDelta::seconds(15), "429 without a word: {}", spacing(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_unknown_outcome_is_settled_before_anything_is_sent_again() {
    let world = world().await;
    let html = |applied| Action::Answer(Reply { applied, ..reply(200, "<html>sign in</html>", "text/html") });
    let template = r#"{"status":"unconfigured","start_at":"2017-05-01T00:00:00Z","end_at":"2017-05-02T00:00:00Z"}"#;
    let rows = vec![
        row("put-500", Action::status(500)).puts(2),
        row("put-502", Action::status(502)).puts(2),
        row("put-503", Action::status(503)).puts(2),
        row("put-504", Action::status(504)).puts(2),
        row("put-500-taken", after_the_effect(500)),
        row("put-502-taken", after_the_effect(502)),
        row("put-503-taken", after_the_effect(503)),
        row("put-504-taken", after_the_effect(504)),
        row("put-302", redirect()).puts(2),
        row("put-408", Action::status(408)).puts(2),
        row("put-408-taken", after_the_effect(408)),
        row("put-cut-before", Action::CutBefore).puts(2),
        row("put-cut-after", Action::CutAfter),
        row("put-hang", Action::Hang).puts(2),
        row("put-html", html(false)).puts(2),
        row("put-html-taken", html(true)),
        row("put-empty-taken", Action::Answer(Reply { applied: true, ..reply(202, "", "application/json") })),
        row("put-no-times-taken", Action::Answer(Reply { applied: true, ..reply(202, "{}", "application/json") })),
        row("put-template", answer(202, template)).puts(2),
    ];
    from_the_beginning(&world, "PUT", PathKind::ReplayJob, rows.clone()).await;
    for (number, row) in rows.iter().enumerate() {
        let doubt = world.history.of(row.name).into_iter().find(|job| {
            condition(job, &ConditionType::Submitted)
                .is_some_and(|c| c.message.contains("whether Konnect took it is not known"))
        });
        assert!(doubt.is_some(), "{}: {:#?}", row.name, world.states(row.name));
        let puts =
            world.emulator.calls().into_iter().filter(|c| c.method == "PUT" && c.path.contains(&portal_id(number)));
        let intended = doubt.unwrap().status.unwrap().submission.unwrap().intent_time;
        let settled = intended + TimeDelta::seconds(13);
        let early: Vec<_> = puts.skip(1).filter(|c| c.at < settled).collect();
        assert!(early.is_empty(), "{}: recorded at {intended}, sent again too early: {early:#?}", row.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_400_is_final_and_shows_what_konnect_named() {
    let world = World::new().await;
    let body = json!({
        "status": 400, "title": "Bad Request", "detail": "Invalid Parameters", "instance": "kong:trace:123",
        "invalid_parameters": [{"field": "start_at", "rule": "range", "reason": "must be within the last 7 days"}],
    });
    let reply = reply(400, &body.to_string(), "application/problem+json");
    world.emulator.add_fault(Fault::new(Action::Answer(reply)).method("PUT"));
    world.create(world.job("wrong")).await;

    let failed = world.wait_until_failed("wrong").await;

    let failure = condition(&failed, &ConditionType::Failed).unwrap();
    assert_eq!(failure.reason, "InvalidRequest");
    assert!(failure.message.contains("start_at: must be within the last 7 days"), "{}", failure.message);
    let all = serde_json::to_string(&world.history.of("wrong")).unwrap();
    assert!(!all.contains("kong:trace"), "a trace id stands in the object");
    assert_eq!((world.puts(), world.runs().len()), (1, 0));
    world.operator.as_ref().unwrap().wait_for_log("the trace id", |line| line["trace_id"] == "kong:trace:123").await;
}

/// Two clocks that differ look like a wrong request; a moment later it is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_400_near_a_limit_of_konnects_is_tried_again() {
    let world = World::new().await;
    world.emulator.add_fault(Fault::new(Action::status(400)).method("PUT").times(2));
    let end = Utc::now() - TimeDelta::minutes(2);
    world.create(world.job("fresh").window(end - TimeDelta::hours(1), end)).await;
    world.wait_until_complete("fresh").await;
    assert_eq!((world.puts(), world.runs().len()), (3, 1));
}
