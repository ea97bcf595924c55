//! A run that hangs at Konnect and cannot be read any more, because its token is gone. The operator waits an hour for it, which is a
//! constant: its clock is set forward here.

use std::time::Duration;

use chrono::TimeDelta;
use konnect_emulator::Status;
use konnect_replay_core::api::ConditionType;

use super::{aged, give_token, is_sent, revoke};
use crate::support::{Clock, World, condition, ready_reason};

/// The operator's patience is a minute longer.
const NEARLY_AN_HOUR: Duration = Duration::from_mins(59);

/// A run under way of the job `silent`, whose token no longer works.
async fn silent(world: &World, job: crate::support::JobBuilder) {
    give_token(&world.emulator, "acme", world, "leaving").await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(job.secret("leaving", "token")).await;
    world.wait_for_reason("silent", "Accepted").await;
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.wait_for_reason("silent", "Running").await;
    revoke(&world.emulator, world, "leaving");
    world.wait_for_reason("silent", "WaitingForCredentials").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_nobody_can_read_gives_way_to_a_token_that_can() {
    let world = World::builder().without_operator().build().await;
    let mut clock = Clock::new();
    let _operator = world.start_by_clock(&[], &clock).await;
    silent(&world, aged(world.job("silent"), 90)).await;
    world.create(aged(world.job("waits"), 5)).await;
    let waits = world.wait_for_reason("waits", "Queued").await;
    assert_eq!(waits.status.unwrap().blocked_by.as_deref(), Some("silent"));

    // Not a minute too early: what is under way is left alone.
    clock.forward(NEARLY_AN_HOUR);
    world.emulator.set_clock_offset(TimeDelta::hours(1));
    world.more_looks(2).await;
    assert_eq!(ready_reason(&world.get("waits").await), "Queued");

    clock.forward(Duration::from_mins(1));
    // The portal is free for it to look, and Konnect shows that the run is still under way.
    world.wait_for_reason("waits", "BlockedByRemoteJob").await;
    world.more_looks(3).await;
    assert_eq!(world.puts(), 1, "nothing is sent over the run");

    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();
    is_sent(&world, "waits").await;
    let runs = world.runs();
    assert!(runs.len() == 2 && runs.iter().all(|run| run.replaced_by.is_none()), "{runs:#?}");
    assert_eq!(ready_reason(&world.get("silent").await), "WaitingForCredentials");
}

/// Its token never comes back: when Konnect has deleted the window, nothing more can be learned or sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_nobody_can_read_until_its_window_has_expired_ends_with_a_verdict() {
    let world = World::builder().without_operator().build().await;
    let mut clock = Clock::new();
    let _operator = world.start_by_clock(&["--retention=2h"], &clock).await;
    silent(&world, aged(world.job("silent"), 1)).await;

    // The window has expired, and was heard of less than an hour ago.
    clock.forward(Duration::from_mins(50));
    world.more_looks(2).await;
    clock.forward(Duration::from_hours(2));

    let failed = world.wait_until_failed("silent").await;
    let verdict = condition(&failed, &ConditionType::Failed).unwrap();
    assert_eq!(verdict.reason, "RemoteStateUnknown", "{}", verdict.message);
    assert!(verdict.message.contains("could not be read"), "{}", verdict.message);
    assert_eq!(world.puts(), 1);
}
