//! `status`: what happened, in order.

use konnect_emulator::Status;

use super::{Plugin, times};
use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_told_in_order() {
    let world = World::builder().flag("--backoff-base=100ms").build().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    world.create(world.job("outage")).await;
    world.wait_until_complete("outage").await;
    let told = Plugin::of(&world).done(&["status", "outage"]).await;

    assert!(told.starts_with(&format!("Job         outage, in namespace {}\n", world.namespace)), "{told}");
    assert!(told.contains("\nKonnect reported completed for "), "{told}");
    let story = told.split_once("TIME ").unwrap().1;
    let steps = [
        "created",
        "token accepted",
        "webhook enabled",
        "try 2 recorded: ",
        "accepted by Konnect",
        "complete: Completed",
    ];
    let places: Vec<usize> =
        steps.iter().map(|s| story.find(s).unwrap_or_else(|| panic!("no {s:?} in {told}"))).collect();
    assert_eq!((places[0], places[4] < places[5]), (places.iter().copied().min().unwrap(), true), "{told}");
    assert!(story.contains("first under way at Konnect"), "the first try is not recorded any more: {told}");
    assert!(!story.contains("next try"), "it has been made: {told}");
    let begun: Vec<_> = story.lines().skip(1).map(|line| times(line)[0]).collect();
    assert!(begun.is_sorted(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_says_for_what() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("runs")).await;
    world.wait_for_reason("runs", "Accepted").await;
    world.create(world.job("waits")).await;
    world.wait_for_reason("waits", "Queued").await;
    let told = Plugin::of(&world).done(&["status", "waits"]).await;
    assert!(told.contains("Waits for   runs\n") && told.contains("Status      Queued\n"), "{told}");
    assert!(told.contains("Waiting for AuditLogReplayJob runs: Konnect runs one replay at a time."), "{told}");
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_any_operator_has_looked_it_says_so() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("unseen")).await;
    let told = Plugin::of(&world).done(&["status", "unseen"]).await;
    assert!(told.contains("No operator has looked at it yet. See that konnect-replay runs"), "{told}");
}
