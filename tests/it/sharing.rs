//! Trouble that many objects share costs as many calls as for one, and holds nobody else up.

use std::time::{Duration, Instant};

use futures::StreamExt;
use konnect_emulator::{Action, Fault, Q2};

use crate::support::{JobBuilder, World, ready_reason};

const MANY: usize = 2000;

/// Reads of the Secret `name` so far.
fn reads_of_secret(world: &World, name: &str) -> usize {
    world.audit().verb("get").resource("secrets").name(name).count().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_objects_behind_one_bad_secret_cost_as_many_calls_as_one() {
    let world = World::new().await;
    let bad = |n: usize| world.create(world.job(&format!("bad-{n:04}")).secret("missing", "token"));
    futures::stream::iter(0..MANY).for_each_concurrent(16, async |n| drop(bad(n).await)).await;
    let good = world.job("good").v3();
    world.wait(&format!("bad-{:04}", MANY - 1), "looked at", |job| !ready_reason(job).is_empty()).await;
    world.create(good).await;
    world.wait_until_complete("good").await;

    let (begun, before) = (Instant::now(), reads_of_secret(&world, "missing"));
    let enough = before + 6;
    while reads_of_secret(&world, "missing") < enough {
        assert!(begun.elapsed() < Duration::from_mins(2), "the Secret is looked at no more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // One look each 400 to 500 ms (the retry interval of the tests), however many wait for it.
    let reads = reads_of_secret(&world, "missing") - before;
    let most = begun.elapsed().as_millis() / 350 + 2;
    assert!(reads as u128 <= most, "{reads} reads in {:?}", begun.elapsed());

    world.create_token("missing", "token", crate::support::TOKEN.as_bytes()).await;
    world.wait_until_complete("bad-0000").await;
    world.wait_until_complete("bad-0001").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_hangs_does_not_slow_another() {
    let world = World::builder().flag("--concurrency=4").flag("--request-timeout=2m").build().await;
    world.emulator.add_fault(Fault::new(Action::Hang).region("us"));
    for n in 0..20 {
        let secret = format!("token-{n}");
        world.create_token(&secret, "token", crate::support::TOKEN.as_bytes()).await;
        let id = format!("00000000-0000-4000-8000-{n:012}");
        world.add_portal("us", &id);
        world
            .create(crate::support::JobBuilder::portal(&format!("hangs-{n}"), "us", &id).secret(&secret, "token"))
            .await;
    }
    world
        .at_konnect("a call that hangs", |konnect| {
            konnect.calls().iter().any(|call| call.path.starts_with("/us/")).then_some(())
        })
        .await;

    let begun = Instant::now();
    world.create(world.job("elsewhere")).await;
    world.wait_until_complete("elsewhere").await;

    assert!(begun.elapsed() < Duration::from_mins(1), "it took {:?}", begun.elapsed());
}

/// As many lanes as portals: each portal has a Secret of its own.
async fn lanes(world: &World, count: usize) -> Vec<(String, String)> {
    let mut lanes = Vec::new();
    for n in 0..count {
        let (name, portal) = (format!("lane-{n}"), format!("00000000-0000-4000-8000-{n:012}"));
        world.create_token(&name, "token", crate::support::TOKEN.as_bytes()).await;
        world.add_portal("eu", &portal);
        lanes.push((name, portal));
    }
    lanes
}

async fn more_calls(world: &World, count: usize) {
    let enough = world.emulator.calls().len() + count;
    world.at_konnect("more calls", |konnect| (konnect.calls().len() >= enough).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_is_down_is_asked_by_one_job_however_many_lanes_it_has() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Portal).build().await;
    let lanes = lanes(&world, 10).await;
    world.emulator.add_fault(Fault::new(Action::status(503)).region("eu"));
    for (name, portal) in &lanes {
        world.create(JobBuilder::portal(name, "eu", portal).secret(name, "token")).await;
    }
    for (name, _) in &lanes {
        let says = |job: &_| ["KonnectUnavailable", "Queued"].contains(&ready_reason(job).as_str());
        world.wait_now(name, "that nothing is asked for it", says).await;
    }
    // Those that had begun to look when the first found it down have looked.
    more_calls(&world, lanes.len()).await;

    let (begun, before) = (Instant::now(), world.emulator.calls().len());
    more_calls(&world, 20).await;
    // One look each 240 ms at most: four fifths of the poll interval of the tests, with which each job's own looks begin.
    let (looks, most) = (world.emulator.calls().len() - before, begun.elapsed().as_millis() / 240 + 2);
    assert!(looks as u128 <= most, "{looks} calls in {:?}", begun.elapsed());

    world.emulator.clear_faults();
    for (name, _) in &lanes {
        world.wait_until_complete(name).await;
    }
    assert_eq!(world.emulator.calls().iter().filter(|call| call.method == "PUT").count(), lanes.len());
}

/// What looks like the region's trouble, or the token's, may be one portal's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_never_works_holds_up_no_other() {
    futures::future::join_all(
        [Action::status(500), Action::rate_limit(Some("1")), Action::status(403)].map(a_portal_that_always),
    )
    .await;
}

async fn a_portal_that_always(answers: Action) {
    let world = World::new().await;
    let (now, lanes) = (chrono::Utc::now(), lanes(&world, 2).await);
    let (_, broken) = &lanes[0];
    world.emulator.add_fault(Fault::new(answers.clone()).portal(broken));
    // The first of its lane, so that the others come after it.
    let start = now - chrono::TimeDelta::hours(100);
    world.create(JobBuilder::portal("broken", "eu", broken).window(start, start + chrono::TimeDelta::hours(1))).await;
    let seen =
        |job: &_| ["KonnectUnavailable", "RateLimited", "WaitingForCredentials"].contains(&ready_reason(job).as_str());
    world.wait_now("broken", "that it cannot be sent", seen).await;

    for n in 0..3 {
        let start = now - chrono::TimeDelta::hours(10 + n);
        world.create(world.job(&format!("same-lane-{n}")).window(start, start + chrono::TimeDelta::minutes(30))).await;
    }
    world.create(JobBuilder::portal("other-lane", "eu", &lanes[1].1).secret("lane-1", "token")).await;
    for name in ["same-lane-0", "same-lane-1", "same-lane-2", "other-lane"] {
        world.wait_until_complete(name).await;
    }
    // It has its looks between those of the others, and says what it finds.
    world.wait_now("broken", &format!("that it still cannot be sent: {answers:?}"), seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_jobs_of_a_target_without_a_webhook_one_looks_and_the_other_says_who_does() {
    // Long enough that the second does not come just when a look is due, also on a busy machine.
    let world = World::builder().without_webhook().flag("--retry-interval=5s").build().await;
    world.create(world.job("looks")).await;
    world.wait_for_reason("looks", "WaitingForWebhook").await;
    world.create(world.job("waits")).await;
    let waits = world.wait_for_reason("waits", "Queued").await;
    assert_eq!(waits.status.unwrap().blocked_by.as_deref(), Some("looks"));

    world.enable_webhook();
    world.wait_until_complete("looks").await;
    world.wait_until_complete("waits").await;
    assert!(!world.reasons("looks").contains(&"Queued".to_owned()), "{:?}", world.reasons("looks"));
}
