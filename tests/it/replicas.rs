//! Several replicas: one works, another takes over, and a leader that was stopped in the middle sends nothing.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use k8s_openapi::api::coordination::v1::Lease;
use konnect_emulator::{Hold, PathKind, Status};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;

use crate::support::{Operator, PATIENCE, World};

/// What it takes to lead after one that did not hand over: its lease must run out.
const LEASE: Duration = Duration::from_secs(15);

async fn leads(replica: &Operator) {
    replica.wait_for_log("that it leads", |line| line["message"] == "leading").await;
}

fn is_leading(replica: &Operator) -> bool {
    replica.log().iter().any(|line| line.contains("\"leading\""))
}

fn rested(replica: &Operator) -> bool {
    replica.log().iter().any(|line| line.contains("did not end in order"))
}

/// A replica that leads, and one that stands by.
async fn two_replicas(world: &World) -> (Operator, Operator) {
    let first = world.start_replica();
    leads(&first).await;
    let second = world.start_replica();
    second.wait_for_log("that it stands by", |line| line["message"] == "another replica leads; standing by").await;
    assert!(!is_leading(&second));
    (first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_told_to_end_hands_over_at_once_and_the_next_needs_no_rest() {
    let world = World::builder().without_operator().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let (mut first, second) = two_replicas(&world).await;
    world.create(world.job("handed-over")).await;
    world.wait_for_reason("handed-over", "Accepted").await;

    let told = Instant::now();
    first.signal("TERM");
    assert_eq!(first.exit().await.code(), Some(0));
    leads(&second).await;
    assert!(told.elapsed() < LEASE, "it took {:?}", told.elapsed());
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("handed-over").await;

    assert!(!rested(&second));
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_one_that_rests_before_it_sends() {
    let world = World::builder().without_operator().build().await;
    let (first, second) = two_replicas(&world).await;
    let answered = world.emulator.hold(Hold::after().method("PUT").path(PathKind::ReplayJob).times(1));
    world.create(world.job("taken-over")).await;
    world.emulator.wait_held(answered, PATIENCE).await.unwrap();

    first.signal("KILL");
    world.emulator.release_all();
    leads(&second).await;
    let now = Utc::now();
    world.create(world.job("after-it").window(now - TimeDelta::hours(5), now - TimeDelta::hours(4))).await;
    let resting = world.wait_for_reason("after-it", "Pending").await;
    world.wait_until_complete("taken-over").await;
    world.wait_until_complete("after-it").await;

    assert!(rested(&second));
    assert_eq!(world.runs().len(), 2, "one for each: {:#?}", world.runs());
    assert!(resting.status.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_and_wakes_up_late_sends_nothing() {
    let world = World::builder().without_operator().build().await;
    let (mut first, second) = two_replicas(&world).await;
    // Its last question before the request: all that comes after is the record and the request itself.
    let read = world.emulator.hold(Hold::after().method("GET").path(PathKind::ReplayJob).times(1));
    world.create(world.job("stopped")).await;
    world.emulator.wait_held(read, PATIENCE).await.unwrap();

    first.pause();
    leads(&second).await;
    world.wait_until_complete("stopped").await;
    world.emulator.release_all();
    first.signal("CONT");

    assert_eq!(first.exit().await.code(), Some(1), "{}", first.log().join("\n"));
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
    assert_eq!(world.emulator.job(&world.portal).unwrap().status, Status::Completed);
}

/// A prune, or a user who forces an election: the lease is gone, and with it the record of how its leader ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lease_that_was_deleted_nothing_is_begun_while_something_may_be_on_its_way() {
    let world = World::builder().without_operator().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let mut first = world.start_replica();
    leads(&first).await;
    world.create(world.job("under-way")).await;
    world.wait_for_reason("under-way", "Accepted").await;
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), "konnect-replay");
    leases.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    assert_eq!(first.exit().await.code(), Some(1));

    let second = world.start_replica();
    let rests = |line: &Value| line["message"].as_str().is_some_and(|said| said.starts_with("there was no lease"));
    second.wait_for_log("that it rests", rests).await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.wait_until_complete("under-way").await;
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
}
