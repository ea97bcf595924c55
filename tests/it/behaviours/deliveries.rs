//! How the events may reach the webhook, or not.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use konnect_emulator::{
    ContentEncoding, Emit, Emulator, JsonTypes, Options, Outage, Q7, Q10, Q12, Receiver, ReceiverOptions, TargetKey,
    Tls, Webhook,
};

use super::{each_ends_as_it_must, row, world};
use crate::support::{JobBuilder, PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_events_are_sent_it_runs_once() {
    let world = world().await;
    let rows = vec![
        row("encoding-of-the-page", |behaviour| behaviour.delivery.content_encoding = ContentEncoding::ApplicationGzip),
        row("encoding-of-kongctl", |behaviour| behaviour.delivery.content_encoding = ContentEncoding::Gzip),
        row("types-of-the-examples", |behaviour| behaviour.delivery.json_types = JsonTypes::Examples),
        row("signed-anew", |behaviour| behaviour.q7 = Q7::New),
        row("the-status-is-behind", |behaviour| behaviour.status_lag = Duration::from_secs(2)),
    ];
    each_ends_as_it_must(&world, rows, |world, target| {
        world.emulator.emit(target, Emit::now(1)).unwrap();
    })
    .await;
}

/// An event of the window whose live delivery is still to come is replayed all the same. The receiver gets it twice, from one run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_event_that_comes_late_is_replayed_as_well_by_one_run() {
    let (world, lag) = (world().await, Duration::from_secs(4));
    let target = world.add_portal("eu", &super::portal_id(0));
    world.emulator.change_behaviour(&target, |behaviour| behaviour.delivery.lag = lag).unwrap();
    let job = super::one_try(JobBuilder::portal("live-events-come-late", "eu", &super::portal_id(0)));
    let emitted = Utc::now();
    let late = world.emulator.emit(&target, Emit::at(1, emitted - TimeDelta::hours(3))).unwrap();
    let job = world.create(job).await;
    let lost = world.lose(&target, &job, 2);
    super::ends(&world, &target, &row("live-events-come-late", |_| {}), &lost).await;
    let live = |emulator: &Emulator| emulator.deliveries().into_iter().find(|delivery| delivery.run.is_none());
    let live = world.emulator.wait_for(PATIENCE, live).await.unwrap();
    assert_eq!(live.event_ids, late);
    assert!(live.at - emitted >= TimeDelta::from_std(lag).unwrap(), "{live:#?}");
    let replayed = world.emulator.deliveries().into_iter().find(|delivery| delivery.run == Some(1)).unwrap();
    assert!(replayed.event_ids.contains(&late[0]) && replayed.events == 3, "{replayed:#?}");
    let both = |receiver: &Receiver| (receiver.duplicates() == 1).then_some(());
    world.receiver.wait_for(PATIENCE, both).await.unwrap();
    assert_eq!((world.receiver.events().len(), world.emulator.runs(&target).unwrap().len()), (3, 1));
}

/// The operator's own calls are events of the organization: they are delivered live, and are nothing that a run would have to send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_leave_events_of_their_own_end_in_one_run() {
    let world = world().await;
    world.emulator.change_every_behaviour(|behaviour| behaviour.q10 = Q10::AnswersTrace);
    let target = world.organization();
    world.emulator.set_webhook(&target, Webhook::new(world.receiver.url())).unwrap();
    let job = world.create(super::one_try(JobBuilder::organization("calls-leave-events", "eu"))).await;
    let lost = world.lose(&target, &job, 2);
    super::ends(&world, &target, &row("calls-leave-events", |_| {}), &lost).await;
    let (live, replayed): (Vec<_>, Vec<_>) =
        world.emulator.deliveries().into_iter().partition(|delivery| delivery.run.is_none());
    assert!(!live.is_empty(), "no call left an event");
    assert_eq!(replayed.iter().map(|delivery| delivery.events).sum::<usize>(), 2, "{replayed:#?}");
}

/// Q11: a receiver that says nothing is a connection error, five times; then the run has failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_does_not_answer_in_time_fails_the_run() {
    let world = world().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let rows = vec![row("silent", |behaviour| behaviour.q11.attempt_timeout = Duration::from_millis(100)).fails()];
    each_ends_as_it_must(&world, rows, |world, target| {
        world.emulator.set_webhook(target, Webhook::new(&url)).unwrap();
    })
    .await;
    let attempts = world.emulator.deliveries();
    assert!(attempts.len() == 5 && attempts.iter().all(|attempt| attempt.response_code.is_none()), "{attempts:#?}");
}

/// Q11: the pause that a receiver asks for takes the place of the usual wait, which alone would have used up all attempts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_asks_for_a_pause_is_heard_and_it_runs_once() {
    let world = world().await;
    let target = world.add_portal("eu", &super::portal_id(0));
    world.emulator.change_behaviour(&target, |behaviour| behaviour.q11.honours_retry_after = true).unwrap();
    // Worlds scale every wait to a thousandth: this is a pause of 4 s.
    world.receiver.set_outage(Outage::ComeAgain(4000));
    let job = super::one_try(JobBuilder::portal("come-again", "eu", &super::portal_id(0)));
    let job = world.create(job).await;
    let lost = world.lose(&target, &job, 2);
    world.at_konnect("an attempt", |emulator| emulator.deliveries().first().cloned()).await;
    world.receiver.set_outage(None);
    super::ends(&world, &target, &row("come-again", |_| {}), &lost).await;
    let attempts = world.emulator.deliveries();
    assert_eq!(attempts.iter().map(|attempt| attempt.response_code).collect::<Vec<_>>(), [Some(429), Some(200)]);
    assert!((attempts[1].at - attempts[0].at).num_seconds() >= 4, "{attempts:#?}");
}

/// The default waits, at a fifth of their length: 0.2, 0.4, 0.8 and 1.6 s. True scale shows the operator nothing else, as it sees
/// the run end and never an attempt; so there is no row for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_waits_outlast_a_short_outage_and_no_long_one() {
    for (name, is_short) in [("short", true), ("long", false)] {
        let world = World::builder().emulator(|options| options.retry_scale = 0.2).build().await;
        world.receiver.set_outage(Outage::Answer(500));
        let job = world.create(super::one_try(world.job(name))).await;
        let lost = world.lose(&world.portal, &job, 2);
        let attempts = |count: usize| move |emulator: &Emulator| (emulator.deliveries().len() >= count).then_some(());
        world.at_konnect("three attempts", attempts(3)).await;
        if is_short {
            world.receiver.set_outage(None);
            super::ends(&world, &world.portal, &row(name, |_| {}), &lost).await;
        } else {
            super::ends(&world, &world.portal, &row(name, |_| {}).fails(), &lost).await;
            assert_eq!(world.emulator.deliveries().len(), 5);
        }
    }
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

/// A Konnect that tries an untrusted certificate again fails the run later, and as surely.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untrusted_certificate_that_is_tried_again_fails_the_run_as_well() {
    let world = world().await;
    let untrusted =
        Emulator::start(Options { tls: Some(Tls::SelfSigned { names: vec![] }), ..Options::default() }).await.unwrap();
    let url = untrusted.base_url("eu");
    let rows = vec![row("tried-again", |behaviour| behaviour.delivery.retries_certificates = true).fails()];
    each_ends_as_it_must(&world, rows, |world, target| {
        world.emulator.set_webhook(target, Webhook::new(&url)).unwrap();
    })
    .await;
    assert_eq!(world.emulator.deliveries().len(), 5);
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
