//! Answers to GET, of the replay job and of the webhook.

use std::time::Duration;

use konnect_emulator::{Action, Emulator, PathKind};

use super::{
    Row, answer, date_in, ends_well, every_event_came_once, from_the_beginning, portal_id, redirect, reply, row, world,
};
use crate::support::JobBuilder;

fn bad_looks() -> Vec<Row> {
    let large = format!("{{\"status\":\"completed\",\"x\":\"{}\"}}", "y".repeat(70_000));
    vec![
        row("get-400", Action::status(400)).times(2),
        row("get-401", Action::status(401)).times(2).shows("WaitingForCredentials"),
        row("get-403", Action::status(403)).times(2).shows("WaitingForCredentials"),
        row("get-403-gateway", answer(403, r#"{"message":"Quota Exceeded"}"#)).times(2).shows("WaitingForCredentials"),
        row("get-408", Action::status(408)).times(2),
        row("get-409", Action::status(409)).times(2),
        row("get-413", Action::status(413)).times(2),
        row("get-429", Action::rate_limit(Some("1"))).times(2).shows("RateLimited"),
        row("get-429-date", Action::rate_limit(Some(&date_in(2)))).shows("RateLimited"),
        row("get-429-none", Action::rate_limit(None)).shows("RateLimited"),
        row("get-500", Action::status(500)).times(2).shows("KonnectUnavailable"),
        row("get-502", Action::status(502)).times(2).shows("KonnectUnavailable"),
        row("get-503", Action::status(503)).times(2).shows("KonnectUnavailable"),
        row("get-504", Action::status(504)).times(2).shows("KonnectUnavailable"),
        row("get-302", redirect()).times(2).shows("KonnectUnavailable"),
        row("get-cut", Action::CutBefore).times(2).shows("KonnectUnavailable"),
        row("get-hang", Action::Hang).times(2).shows("KonnectUnavailable"),
        row("get-html", Action::Answer(reply(200, "<html>sign in</html>", "text/html")))
            .times(2)
            .shows("KonnectUnavailable"),
        row("get-array", answer(200, "[]")).times(2).shows("KonnectUnavailable"),
        row("get-half", answer(200, r#"{"status":"compl"#)).times(2).shows("KonnectUnavailable"),
        row("get-nothing", answer(200, "")).times(2).shows("KonnectUnavailable"),
        row("get-large", answer(200, &large)).times(2).shows("KonnectUnavailable"),
        row("get-slow", Action::Delay { time: Duration::from_secs(1) }).times(2),
        row("get-empty-object", answer(200, "{}")).times(2),
        row("get-odd-types", answer(200, r#"{"status":7,"start_at":[],"end_at":{}}"#)).times(2),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_fails_before_the_request_is_repeated() {
    let world = world().await;
    let mut rows = bad_looks();
    rows.push(row("get-404", Action::status(404)).times(2).shows("PortalNotFound"));
    from_the_beginning(&world, "GET", PathKind::ReplayJob, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_fails_during_the_run_changes_nothing_about_the_run() {
    let world = world().await;
    let mut rows = bad_looks();
    rows.push(row("get-404", Action::status(404)).times(2));
    let count = rows.len();
    let each = rows.into_iter().enumerate().map(async |(number, row)| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        world.emulator.set_manual(&target, true).unwrap();
        let job = world.create(JobBuilder::portal(row.name, "eu", &portal)).await;
        world.lose(&target, &job, 1);
        world.wait_for_reason(row.name, "Accepted").await;
        let rule = world.emulator.add_fault(row.fault("GET", PathKind::ReplayJob, &portal));
        let used =
            |e: &Emulator| e.faults().into_iter().find(|r| r.number == rule).filter(|r| r.hits == u64::from(row.times));
        world.at_konnect("the fault used up", used).await;
        world.emulator.set_manual(&target, false).unwrap();
        ends_well(&world, &target, &portal, &Row { shows: None, ..row }).await;
    });
    futures::future::join_all(each).await;
    every_event_came_once(&world, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_cannot_be_looked_at_for_a_moment_delays_only() {
    let world = world().await;
    let rows = vec![
        row("webhook-401", Action::status(401)).times(2).shows("WaitingForCredentials"),
        row("webhook-403", Action::status(403)).times(2),
        row("webhook-429", Action::rate_limit(Some("1"))).times(2).shows("RateLimited"),
        row("webhook-500", Action::status(500)).times(2).shows("KonnectUnavailable"),
        row("webhook-cut", Action::CutBefore).times(2).shows("KonnectUnavailable"),
        row("webhook-hang", Action::Hang).shows("KonnectUnavailable"),
        row("webhook-html", answer(200, "<html>")).times(2),
    ];
    from_the_beginning(&world, "GET", PathKind::Webhook, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhooks_status_is_evidence_only_and_holds_nothing_up() {
    let world = world().await;
    let rows = vec![
        row("status-404", Action::status(404)).times(99),
        row("status-500", Action::status(500)).times(99),
        row("status-html", answer(200, "<html>")).times(99),
        row("status-cut", Action::CutBefore).times(99),
        row("status-hang", Action::Hang).times(99),
    ];
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    from_the_beginning(&world, "GET", PathKind::WebhookStatus, rows).await;
    for name in names {
        assert_eq!(world.reasons(name).last().unwrap(), "Completed");
        assert_eq!(world.get(name).await.status.unwrap().webhook.unwrap().enabled, Some(true), "{name}");
    }
}
