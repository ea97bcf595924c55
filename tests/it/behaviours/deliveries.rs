//! How the events may reach the webhook, or not.

use std::time::Duration;

use konnect_emulator::{
    ContentEncoding, Emit, Emulator, JsonTypes, Options, Outage, Q7, Q10, Q12, Receiver, ReceiverOptions, TargetKey,
    Tls, Webhook,
};

use super::{each_ends_as_it_must, row, world};
use crate::support::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_events_are_sent_it_runs_once() {
    let world = world().await;
    let rows = vec![
        row("encoding-of-the-page", |behaviour| behaviour.delivery.content_encoding = ContentEncoding::ApplicationGzip),
        row("encoding-of-kongctl", |behaviour| behaviour.delivery.content_encoding = ContentEncoding::Gzip),
        row("types-of-the-examples", |behaviour| behaviour.delivery.json_types = JsonTypes::Examples),
        row("signed-anew", |behaviour| behaviour.q7 = Q7::New),
        row("live-events-come-late", |behaviour| behaviour.delivery.lag = Duration::from_secs(2)),
        row("the-status-is-behind", |behaviour| behaviour.status_lag = Duration::from_secs(2)),
        row("calls-leave-events", |behaviour| behaviour.q10 = Q10::AnswersTrace),
    ];
    each_ends_as_it_must(&world, rows, |world, target| {
        world.emulator.emit(target, Emit::now(1)).unwrap();
    })
    .await;
}

/// The status of a webhook is another reading of it: while that says that there is none, a run might go nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_is_long_behind_is_waited_for_and_then_it_runs_once() {
    let world = World::new().await;
    world.emulator.change_behaviour(&world.portal, |behaviour| behaviour.status_lag = Duration::from_hours(1)).unwrap();
    world.create(world.job("behind")).await;
    world.wait_for_reason("behind", "WaitingForWebhook").await;
    assert!(world.runs().is_empty());
    world.emulator.change_behaviour(&world.portal, |behaviour| behaviour.status_lag = Duration::ZERO).unwrap();
    world.wait_until_complete("behind").await;
    assert_eq!(world.runs().len(), 1);
}

/// A receiver that is back before the last attempt misses nothing: no second run is needed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_the_attempts_outlast_is_no_failure() {
    for outage in [Outage::Answer(500), Outage::Answer(429), Outage::Refuse] {
        let world = World::new().await;
        let patient = vec![Duration::from_mins(5); 100];
        world.emulator.change_behaviour(&world.portal, |behaviour| behaviour.delivery.waits = patient).unwrap();
        world.receiver.set_outage(outage);
        let job = world.create(world.job("patient").spec(|spec| spec.backoff_limit = 0)).await;
        let lost = world.lose(&world.portal, &job, 2);
        world.at_konnect("two attempts", |emulator| (emulator.deliveries().len() >= 2).then_some(())).await;
        world.receiver.set_outage(None);
        world.wait_until_complete("patient").await;
        assert_eq!(world.runs().len(), 1, "{outage:?}");
        world.received_once(&lost).await;
    }
}

/// What Konnect does not try again fails the run, and the one try that was allowed is used up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_tried_again_fails_the_run() {
    let world = world().await;
    let down = Receiver::start(ReceiverOptions::default()).await.unwrap();
    down.set_outage(Outage::Answer(503));
    let untrusted =
        Emulator::start(Options { tls: Some(Tls::SelfSigned { names: vec![] }), ..Options::default() }).await.unwrap();
    let (down_url, untrusted_url) = (down.url(), untrusted.base_url("eu"));
    let rows = vec![row("answers-503", |_| {}).fails(), row("an-untrusted-certificate", |_| {}).fails()];
    let urls = [down_url, untrusted_url];
    each_ends_as_it_must(&world, rows, |world, target| {
        let is_first = target.to_string().ends_with('0');
        let url = if is_first { &urls[0] } else { &urls[1] };
        world.emulator.set_webhook(target, Webhook::new(url)).unwrap();
    })
    .await;
    let attempts = world.emulator.deliveries();
    assert_eq!(attempts.len(), 2, "one for each: {attempts:#?}");
}

/// Both readings of `inactive`: the page says that the webhook is still enabled, the specification that it was turned off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_failed_is_still_used_or_has_turned_itself_off() {
    let world = world().await;
    let rows = vec![
        row("keeps-trying", |behaviour| behaviour.q12 = Q12::KeepsTrying),
        row("turned-off", |behaviour| behaviour.q12 = Q12::TurnsOffAfter(1)).fails(),
    ];
    world.receiver.set_outage(Outage::Answer(401));
    let targets = [0, 1].map(|number| world.add_portal("eu", &super::portal_id(number)));
    for (target, row) in targets.iter().zip(&rows) {
        world.emulator.change_behaviour(target, row.bend).unwrap();
        world.emulator.emit(target, Emit::now(1)).unwrap();
        let tried = |emulator: &Emulator| emulator.deliveries().into_iter().find(|delivery| delivery.target == *target);
        world.emulator.wait_for(PATIENCE, tried).await.unwrap();
    }
    world.receiver.set_outage(None);
    each_ends_on(&world, rows, &targets).await;
}

/// As the other tables, on targets that are there already and keep their webhooks.
async fn each_ends_on(world: &World, rows: Vec<super::Row>, targets: &[TargetKey]) {
    for (number, (row, target)) in rows.into_iter().zip(targets).enumerate() {
        let portal = super::portal_id(number);
        let job = crate::support::JobBuilder::portal(row.name, "eu", &portal).spec(|spec| spec.backoff_limit = 0);
        let job = world.create(job).await;
        let lost = world.lose(target, &job, 2);
        super::ends(world, target, &row, &lost).await;
        let shown = world.history.of(row.name).into_iter().find_map(|job| job.status?.webhook?.status);
        assert_eq!(shown.as_deref(), Some("inactive"), "{}: what was read before it was sent", row.name);
    }
}
