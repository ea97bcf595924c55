//! The lease cannot be read or written.

use control_plane::proxy::{Calls, Fault, Point, Verb};

use crate::support::{Operator, PATIENCE, World};

fn leases() -> Calls {
    Calls::any().resource("leases")
}

async fn leads(replica: &Operator) {
    replica.wait_for_log("that it leads", |line| line["message"] == "leading").await;
}

async fn world() -> World {
    World::builder().through_proxy().without_operator().build().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_may_not_renew_ends_and_the_next_goes_on_with_its_run() {
    let world = world().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let mut first = world.start_replica();
    leads(&first).await;
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "Accepted").await;
    let refused = world.proxy().fault(leases().verb(Verb::Update), Fault::Answer(500));
    assert_eq!(first.exit().await.code(), Some(1), "{}", first.log().join("\n"));

    let second = world.start_replica();
    let hits = world.proxy().hits(refused);
    world.proxy().wait_hits(refused, hits + 1, PATIENCE).await.unwrap();
    assert!(!second.log().iter().any(|line| line.contains("\"leading\"")), "it leads without a lease");
    world.proxy().release(refused);
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.ends_as_if_undisturbed("survivor").await;
    assert_eq!(world.puts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_call_that_is_never_answered_costs_neither_the_lease_nor_the_next_leader() {
    let world = world().await;
    let mut first = world.start_replica();
    leads(&first).await;
    let second = world.start_replica();
    second.wait_for_log("that it stands by", |line| line["message"] == "attempting to acquire leadership lease").await;
    // Whoever is first waits longer for its answer than the other rests between two calls: it hits each of them.
    let never = world.proxy().fault(leases().times(2), Fault::Hold(Point::Before));
    world.proxy().wait_hits(never, 2, PATIENCE).await.unwrap();
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "Accepted").await;
    let failed = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|m| m.contains("failed to renew") || m.contains("error while trying"))
    };
    first.wait_for_log("that a renewal failed", failed).await;
    second.wait_for_log("that a look at the lease failed", failed).await;
    first.signal("KILL");
    let _ = first.exit().await;
    leads(&second).await;
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_while_the_server_says_nothing_it_ends() {
    let world = world().await;
    let mut only = world.start_replica();
    leads(&only).await;
    world.proxy().freeze();
    only.signal("TERM");
    assert_eq!(only.exit().await.code(), Some(0), "{}", only.log().join("\n"));
}
