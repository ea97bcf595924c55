//! Trouble that many objects share costs as many calls as for one, and holds nobody else up.

use std::time::{Duration, Instant};

use futures::StreamExt;
use konnect_emulator::{Action, Fault};

use crate::support::{World, ready_reason};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_jobs_of_a_target_without_a_webhook_one_looks_and_the_other_says_who_does() {
    let world = World::builder().without_webhook().build().await;
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
