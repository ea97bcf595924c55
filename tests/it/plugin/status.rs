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
    assert!(told.contains("\nRuns        1 failed\n"), "{told}");
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
    assert!(told.contains("Waiting for AuditLogReplayJob runs."), "{told}");
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_any_operator_has_looked_it_says_so() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("unseen")).await;
    let told = Plugin::of(&world).done(&["status", "unseen"]).await;
    assert!(told.contains("No operator has looked at it yet. See that konnect-replay runs"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_goes_on_is_told_with_konnects_last_word() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("runs")).await;
    world.wait_for_reason("runs", "Accepted").await;
    let plugin = Plugin::of(&world);
    let told = plugin.done(&["status", "runs"]).await;
    assert!(told.contains("accepted by Konnect") && !told.contains("Konnect said"), "once is enough: {told}");
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.wait_for_reason("runs", "Running").await;
    let told = plugin.done(&["status", "runs"]).await;
    assert!(told.lines().last().unwrap().ends_with("   Konnect said running"), "{told}");
}

/// Konnect shows the last job of the target, whoever asked for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn konnects_word_for_another_window_is_not_taken_for_this_ones() {
    let world = World::new().await;
    let theirs = world.foreign_run(&world.portal);
    world.create(world.job("waits")).await;
    world.wait_for_reason("waits", "BlockedByRemoteJob").await;
    let told = Plugin::of(&world).done(&["status", "waits"]).await;
    let line = told.lines().find(|line| line.starts_with("Konnect ")).unwrap();
    assert!(line.contains("accepted, of another window: ") && times(line)[0] == theirs.start_at, "{told}");
}

/// Whoever copies the command reaches the same object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_that_helps_is_named_with_the_namespace_that_was_given() {
    let world = World::new().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    world.create(world.job("failed").spec(|spec| spec.backoff_limit = 0)).await;
    world.wait_until_failed("failed").await;
    world.create(world.job("held").suspended()).await;
    world.wait_for_reason("held", "Suspended").await;
    let (plugin, namespace) = (Plugin::of(&world), &world.namespace);

    let told = plugin.done(&["status", "failed"]).await;
    let again = format!("To have the window sent again: kubectl replay again failed -n {namespace}\n");
    assert!(told.contains(&again) && told.contains("reported failed for the run of "), "{told}");
    assert!(!told.contains("first under way"), "its acceptance says so: {told}");
    let told = plugin.done(&["status", "held"]).await;
    assert!(told.contains(&format!("To let it go on: kubectl replay resume held -n {namespace}\n")), "{told}");

    let refused = plugin.run(&["resume", "failed"]).await;
    assert!(refused.err.ends_with(&format!("kubectl replay again failed -n {namespace}\n")), "{refused:#?}");
    let refused = plugin.run(&["again", "held"]).await;
    assert!(refused.err.ends_with(&format!("kubectl replay resume held -n {namespace}\n")), "{refused:#?}");
    world.create(world.job("tokenless").secret("missing", "token")).await;
    world.wait_for_reason("tokenless", "WaitingForCredentials").await;
    let refused = plugin.run(&["again", "tokenless"]).await;
    assert!(refused.err.ends_with(&format!(" --overwrite -n {namespace}\n")), "{refused:#?}");
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("runs")).await;
    world.wait_for_reason("runs", "Accepted").await;
    let refused = plugin.run(&["again", "runs"]).await;
    assert!(refused.err.ends_with(&format!("kubectl replay status runs --wait -n {namespace}\n")), "{refused:#?}");
}

/// Nobody is sent on a way that leads nowhere, and nothing is called bad that nobody could look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_past_and_what_is_not_known_are_told_as_such() {
    let world = World::new().await;
    let now = chrono::Utc::now();
    let (start, end) = (now - chrono::TimeDelta::days(10), now - chrono::TimeDelta::days(9));
    world.create(world.job("old").window(start, end)).await;
    world.wait_until_failed("old").await;
    world.create_token("rejected", "token", b"kpat_rejected").await;
    world.create(world.job("rejected").secret("rejected", "token")).await;
    world.wait_for_reason("rejected", "WaitingForCredentials").await;
    let plugin = Plugin::of(&world);
    let told = plugin.done(&["status", "old"]).await;
    assert!(told.contains("past: Konnect has begun to delete its events") && !told.contains("replay again"), "{told}");
    let refused = plugin.run(&["resume", "old"]).await;
    assert!(refused.err.ends_with("there is nothing to resume\n"), "{refused:#?}");
    let told = plugin.done(&["status", "rejected"]).await;
    assert!(told.contains("webhook could not be looked at") && !told.contains("webhook not ready"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_the_object_stays_is_told() {
    let world = World::new().await;
    let day = |job: crate::support::JobBuilder| job.spec(|spec| spec.ttl_seconds_after_finished = Some(86_400));
    world.create(day(world.job("held")).suspended()).await;
    world.create(day(world.job("done"))).await;
    let done = world.wait_until_complete("done").await.status.unwrap().completion_time.unwrap();
    let plugin = Plugin::of(&world);
    let told = plugin.done(&["status", "held"]).await;
    assert!(told.contains("Deletion    1d after its end\n"), "{told}");
    let told = plugin.done(&["status", "done"]).await;
    let line = told.lines().find(|line| line.starts_with("Deletion ")).unwrap();
    assert_eq!(times(line)[0] - done, chrono::TimeDelta::days(1), "{told}");
}
