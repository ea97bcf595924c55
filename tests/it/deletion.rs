//! Deletion at each state: it ends at once, and whoever waited behind goes on.

use chrono::TimeDelta;
use konnect_emulator::{Action, Fault, Q2, Reply, Status};
use konnect_replay_core::api::AuditLogReplayJob;

use crate::support::{JobBuilder, World};

const OTHER_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";

/// The next job of the same lane gets its turn, and its run completes.
async fn the_lane_is_free(world: &World) {
    let portal = world.add_portal("eu", OTHER_PORTAL);
    world.create(JobBuilder::portal("next", "eu", OTHER_PORTAL)).await;
    world.wait_until_complete("next").await;
    assert_eq!(world.emulator.runs(&portal).unwrap().len(), 1);
}

fn has_no_finalizer(job: &AuditLogReplayJob) {
    assert!(job.metadata.finalizers.as_ref().is_none_or(Vec::is_empty));
}

async fn deleted_in(world: World, reason: &str) -> World {
    let job = world.wait_for_reason("gone", reason).await;
    has_no_finalizer(&job);
    world.delete("gone").await;
    the_lane_is_free(&world).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_waits_for_something_of_its_own() {
    let waiting = async |reason: &str, change: fn(&World, JobBuilder) -> JobBuilder| {
        let world = World::new().await;
        let job = change(&world, world.job("gone"));
        world.create(job).await;
        let world = deleted_in(world, reason).await;
        assert!(world.calls("PUT").is_empty(), "{reason}");
    };
    futures::join!(
        waiting("WaitingForCredentials", |_, job| job.secret("nowhere", "token")),
        waiting("WaitingForWebhook", |world, job| {
            world.emulator.set_webhook(&world.portal, None).unwrap();
            job
        }),
        waiting("WaitingForWindowEnd", |_, job| {
            let now = chrono::Utc::now();
            job.window(now, now + TimeDelta::hours(1))
        }),
        waiting("Suspended", |_, job| job.suspended()),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_queued() {
    let world = World::new().await;
    let portal = world.add_portal("eu", OTHER_PORTAL);
    world.emulator.set_manual(&portal, true).unwrap();
    world.create(JobBuilder::portal("first", "eu", OTHER_PORTAL)).await;
    world.wait_for_reason("first", "Accepted").await;
    world.create(world.job("gone")).await;
    world.wait_for_reason("gone", "Queued").await;
    world.delete("gone").await;
    world.emulator.set_manual(&portal, false).unwrap();
    world.wait_until_complete("first").await;
    world.create(world.job("next")).await;
    world.wait_until_complete("next").await;
    assert_eq!(world.runs().len(), 1, "only the run of next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_foreign_run_blocks_it() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Portal).build().await;
    world.foreign_run(&world.portal);
    world.create(world.job("gone")).await;
    let world = deleted_in(world, "BlockedByRemoteJob").await;
    assert_eq!(world.runs().len(), 1, "only the foreign run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_run_is_under_way() {
    let states = [
        (Status::Accepted, "Accepted"),
        (Status::Pending, "RemotePending"),
        (Status::Running, "Running"),
        (Status::from("paused"), "RemoteStateUnknown"),
    ];
    futures::future::join_all(states.map(async |(state, reason)| {
        let world = World::builder().emulator(|options| options.q2 = Q2::Portal).build().await;
        world.emulator.set_manual(&world.portal, true).unwrap();
        world.create(world.job("gone")).await;
        world.wait_for_reason("gone", "Accepted").await;
        world.emulator.advance(&world.portal, state).unwrap();
        let world = deleted_in(world, reason).await;
        // The same name again is another object, and waits for the run that nobody can stop.
        let now = chrono::Utc::now();
        world.create(world.job("gone").window(now - TimeDelta::hours(9), now - TimeDelta::hours(8))).await;
        world.wait_for_reason("gone", "BlockedByRemoteJob").await;
        world.emulator.advance(&world.portal, Status::Completed).unwrap();
        world.emulator.set_manual(&world.portal, false).unwrap();
        world.wait_until_complete("gone").await;
        assert_eq!(world.runs().len(), 2);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_knows_whether_its_request_was_taken() {
    futures::future::join_all([true, false].map(async |applied| {
        let world = World::new().await;
        let lost_answer = Action::Answer(Reply { status: 502, applied, ..Reply::default() });
        world.emulator.add_fault(Fault::new(lost_answer).method("PUT").times(1));
        world.create(world.job("gone")).await;
        world.at_konnect("the request", |_| (world.puts() == 1).then_some(())).await;
        let world = deleted_in(world, "Submitting").await;
        assert_eq!(world.runs().len(), usize::from(applied));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_it_is_complete() {
    let world = World::new().await;
    world.create(world.job("gone")).await;
    let world = deleted_in(world, "Completed").await;
    assert_eq!(world.runs().len(), 1);
}
