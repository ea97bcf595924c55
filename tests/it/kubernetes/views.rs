//! A view of the past: the watch stands still, reads are stale, events are lost, doubled or late.

use control_plane::proxy::{Calls, EventFault, Events, Fault, Snapshot, Verb};
use konnect_emulator::{Hold, HoldId, PathKind};
use konnect_replay_core::api::DuplicatePolicy;
use kube::ResourceExt;
use serde_json::json;

use super::steps::Step;
use crate::support::{PATIENCE, World, window_of};

fn watches() -> Calls {
    Calls::any().verb(Verb::Watch).resource("auditlogreplayjobs")
}

fn events() -> Events {
    Events::of(watches())
}

async fn proxied() -> World {
    World::builder().through_proxy().build().await
}

/// Creates the job and stops it at its last question before the record, after the answer was made up.
async fn about_to_record(world: &World) -> HoldId {
    let read = world.emulator.hold(Hold::after().method("GET").path(PathKind::ReplayJob).times(1));
    world.create(world.job("survivor")).await;
    world.emulator.wait_held(read, PATIENCE).await.unwrap();
    read
}

/// Waits until the operator has caught up: it visits an object made last, without a call to Konnect.
async fn catches_up(world: &World) {
    world.create(world.job("witness").suspended()).await;
    world.wait_for_reason("witness", "Suspended").await;
}

async fn snapshot(world: &World) -> Snapshot {
    let path = format!("/apis/konnect-replay.dev/v1alpha1/namespaces/{}/auditlogreplayjobs", world.namespace);
    world.proxy().remember(&path).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_stands_still_from_the_beginning_changes_nothing() {
    let world = proxied().await;
    let held = world.proxy().events(events().kind("MODIFIED"), EventFault::Hold);
    world.create(world.job("survivor")).await;
    world.ends_as_if_undisturbed("survivor").await;
    let (calls, writes) = (world.emulator.calls().len(), world.status_writes("survivor").await);
    world.proxy().release(held);
    catches_up(&world).await;
    world.ends_as_if_undisturbed("survivor").await;
    assert_eq!((world.emulator.calls().len(), world.status_writes("survivor").await), (calls, writes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_stands_still_across_an_edit_costs_one_lost_write_at_most() {
    let world = proxied().await;
    let read = about_to_record(&world).await;
    let held = world.proxy().events(events().kind("MODIFIED"), EventFault::Hold);
    world.patch("survivor", json!({ "metadata": { "labels": { "edited": "meanwhile" } } })).await;
    world.emulator.release(read).unwrap();
    world.ends_as_if_undisturbed("survivor").await;
    let lost = world.audit().verb("patch").resource("auditlogreplayjobs").name("survivor").code(409);
    assert_eq!(lost.count().unwrap(), 1, "what was read anew was not believed");
    world.proxy().release(held);
    catches_up(&world).await;
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_suspended_unseen_is_not_sent() {
    let world = proxied().await;
    let read = about_to_record(&world).await;
    let held = world.proxy().events(events(), EventFault::Hold);
    world.suspend("survivor", true).await;
    world.emulator.release(read).unwrap();
    world.wait_for_reason("survivor", "Suspended").await;
    assert_eq!(world.puts(), 0);
    world.suspend("survivor", false).await;
    world.proxy().release(held);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deleted_unseen_is_not_sent() {
    let world = proxied().await;
    let read = about_to_record(&world).await;
    let held = world.proxy().events(events(), EventFault::Hold);
    let refused = world.proxy().calls().len();
    world.delete("survivor").await;
    world.emulator.release(read).unwrap();
    let tried = async {
        while !world.proxy().calls()[refused..].iter().any(|call| Step::Intent.calls().fits(call)) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.unwrap();
    world.proxy().release(held);
    catches_up(&world).await;
    assert_eq!(world.puts(), 0);
    world.holds_what_it_promises();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deleted_and_made_anew_unseen_is_another_job() {
    let world = proxied().await;
    let read = about_to_record(&world).await;
    let first = world.get("survivor").await;
    let held = world.proxy().events(events(), EventFault::Hold);
    world.delete("survivor").await;
    let second = world.job("survivor").spec(|spec| spec.window.start_at = spec.window.end_at.clone());
    let second = world.create(second).await;
    world.emulator.release(read).unwrap();
    world.proxy().release(held);
    world.wait("survivor", "Complete", |job| job.status.as_ref().is_some_and(|s| s.completion_time.is_some())).await;
    assert_ne!(first.uid(), second.uid());
    let windows: Vec<_> = world.runs().iter().map(|run| run.window).collect();
    assert_eq!(windows, [window_of(&second)], "the first one's window was sent");
    world.holds_what_it_promises();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_word_of_an_earlier_job_of_the_same_name_does_not_hide_the_one_there_is() {
    for kind in ["MODIFIED", "DELETED"] {
        let world = proxied().await;
        let first = world.create(world.job("survivor").suspended()).await;
        world.wait_for_reason("survivor", "Suspended").await;
        catches_up(&world).await;
        let late = world.proxy().events(events().kind(kind).uid(&first.uid().unwrap()), EventFault::Late);
        world.patch("survivor", json!({ "metadata": { "labels": { "last": "word" } } })).await;
        world.delete("survivor").await;
        // Names are told apart by their age where the order is lost, and that is counted in seconds.
        let born = first.creation_timestamp().unwrap();
        while world.create(world.job("age").suspended()).await.creation_timestamp().unwrap() <= born {
            world.delete("age").await;
        }
        world.delete("age").await;
        world.emulator.set_manual(&world.portal, true).unwrap();
        world.create(world.job("survivor")).await;
        world.wait_for_reason("survivor", "Accepted").await;
        world.proxy().wait_hits(late, 1, PATIENCE).await.unwrap();
        world.proxy().release(late);
        // From here on nothing is written until the run has ended: only the next poll can see it.
        world.more_looks(3).await;
        world.emulator.set_manual(&world.portal, false).unwrap();
        world
            .wait("survivor", "Complete", |job| job.status.as_ref().is_some_and(|s| s.completion_time.is_some()))
            .await;
        world.holds_what_it_promises();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_its_own_writes_that_are_lost_or_doubled_change_nothing() {
    for fault in [EventFault::Drop, EventFault::Duplicate] {
        let world = proxied().await;
        let hit = world.proxy().events(events().kind("MODIFIED").name("survivor"), fault);
        world.create(world.job("survivor")).await;
        world.ends_as_if_undisturbed("survivor").await;
        world.proxy().wait_hits(hit, 4, PATIENCE).await.unwrap();
        catches_up(&world).await;
        world.ends_as_if_undisturbed("survivor").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_creation_went_unseen_is_found_by_the_next_list() {
    let world = proxied().await;
    let lost = world.proxy().events(events().kind("ADDED").name("survivor"), EventFault::Drop);
    world.create(world.job("survivor")).await;
    world.proxy().wait_hits(lost, 1, PATIENCE).await.unwrap();
    catches_up(&world).await;
    world.proxy().expire_watches(&watches());
    world.ends_as_if_undisturbed("survivor").await;
}

/// An operator that starts on a view from before the record was written, while the run is under way or over.
async fn restarted_in_the_past(over: bool) {
    let mut world = World::builder().through_proxy().flag("--get-lag=0s").build().await;
    world.emulator.set_manual(&world.portal, !over).unwrap();
    let read = world.emulator.hold(Hold::after().method("GET").path(PathKind::ReplayJob).times(1));
    // With Skip, Konnect's own job would already say that nothing is to be sent.
    world.create(world.job("survivor").spec(|spec| spec.duplicate_policy = DuplicatePolicy::Replay)).await;
    world.emulator.wait_held(read, PATIENCE).await.unwrap();
    let past = snapshot(&world).await;
    world.emulator.release(read).unwrap();
    world.wait_for_reason("survivor", "Accepted").await;
    drop(world.operator.take());
    if over {
        world.at_konnect("that the run has ended", |_| world.runs().first()?.ended_at).await;
    }

    let stale = world
        .proxy()
        .fault(Calls::any().resource("auditlogreplayjobs").body_where(serde_json::Value::is_null), Fault::Stale(past));
    let held = world.proxy().events(events(), EventFault::Hold);
    let lost = world.proxy().calls().len();
    let _second = world.start_operator(&[]).await;
    if over {
        let tried = || world.proxy().calls()[lost..].iter().filter(|call| Step::Intent.calls().fits(call)).count();
        let enough = async {
            while tried() < 3 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.unwrap();
    } else {
        world.more_looks(2).await;
    }
    assert_eq!(world.puts(), 1, "it was sent again on a view of the past");
    world.proxy().release(stale);
    world.proxy().release(held);
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_starts_with_a_view_of_the_past_sends_nothing_twice() {
    tokio::join!(restarted_in_the_past(false), restarted_in_the_past(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_reads_after_a_lost_write_send_nothing() {
    let world = proxied().await;
    let read = about_to_record(&world).await;
    let past = snapshot(&world).await;
    world.patch("survivor", json!({ "metadata": { "labels": { "edited": "meanwhile" } } })).await;
    let stale = world.proxy().fault(Calls::any().verb(Verb::Get).resource("auditlogreplayjobs"), Fault::Stale(past));
    let held = world.proxy().events(events(), EventFault::Hold);
    world.emulator.release(read).unwrap();
    world.proxy().wait_hits(stale, 3, PATIENCE).await.unwrap();
    assert_eq!(world.puts(), 0);
    world.proxy().release(stale);
    world.proxy().release(held);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_job_is_left_alone_by_whoever_sees_it_late() {
    let mut world = proxied().await;
    let read = about_to_record(&world).await;
    let past = snapshot(&world).await;
    world.emulator.release(read).unwrap();
    world.ends_as_if_undisturbed("survivor").await;
    drop(world.operator.take());
    let stale = world.proxy().fault(Calls::any().verb(Verb::List).resource("auditlogreplayjobs"), Fault::Stale(past));
    let held = world.proxy().events(events(), EventFault::Hold);
    let _second = world.start_operator(&[]).await;
    world.more_looks(1).await;
    world.proxy().release(stale);
    world.proxy().release(held);
    catches_up(&world).await;
    world.ends_as_if_undisturbed("survivor").await;
    assert_eq!(world.puts(), 1);
}
