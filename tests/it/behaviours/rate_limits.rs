//! Rate limits per token, per organisation and per address: the operator slows down, and sends once.

use std::time::Duration;

use konnect_emulator::{Per, RateLimit};

use crate::support::World;

async fn a_limit_per(per: Per) {
    let world = World::new().await;
    let job = world.create(world.job("limited").suspended()).await;
    let lost = world.lose(&world.portal, &job, 2);
    // Three GETs and the request are allowed: the first GET of the run is one too many.
    // Long enough that a busy machine reaches the limit within it.
    let window = Duration::from_secs(30);
    world.emulator.set_rate_limits([RateLimit { per, requests: 4, window, retry_after: true }]);
    world.suspend("limited", false).await;

    let done = world.wait_until_complete("limited").await;

    let refused = world.emulator.calls().iter().filter(|call| call.status == Some(429)).count();
    assert!(refused > 0, "{per:?}: the limit was never reached");
    assert_eq!((world.runs().len(), done.status.unwrap().attempts), (1, 1), "{per:?}");
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_slows_down_and_costs_no_second_run() {
    futures::future::join_all([Per::Token, Per::Organization, Per::Address].map(a_limit_per)).await;
}

/// One of Konnect's limiters does not say when to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_does_not_say_for_how_long_is_waited_for() {
    let world = World::new().await;
    let limit = RateLimit { per: Per::Token, requests: 0, window: Duration::from_secs(1), retry_after: false };
    world.emulator.set_rate_limits([limit]);
    let job = world.create(world.job("limited")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("limited", "RateLimited").await;
    world.emulator.set_rate_limits([]);
    world.wait_until_complete("limited").await;
    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
}
