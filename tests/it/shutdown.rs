//! Ends of the process, wanted and unwanted, and what the next process makes of them.

use std::time::{Duration, Instant};

use konnect_emulator::{Action, Fault, Reply, Status};
use konnect_replay_core::api::SubmissionState;

use crate::support::{World, ready_reason};

/// Far below any call that must not be waited for, far above what a busy machine needs.
const SOON: Duration = Duration::from_secs(25);

/// Sends a signal, and sees the process end well and soon.
async fn ends_on(world: &mut World, signal: &str) {
    let begun = Instant::now();
    world.operator().signal(signal);
    let status = world.operator().exit().await;
    assert_eq!(status.code(), Some(0), "{}", world.operator().log().join("\n"));
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

async fn restart(world: &mut World) {
    world.operator = Some(world.start_operator(&[]).await);
}

fn put_fault(world: &World, action: Action) {
    world.emulator.add_fault(Fault::new(action).method("PUT").times(1));
}

async fn put_has_begun(world: &World) {
    world.at_konnect("the request", |_| (world.puts() == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_operator_ends_on_either_signal() {
    let mut world = World::new().await;
    ends_on(&mut world, "TERM").await;
    restart(&mut world).await;
    ends_on(&mut world, "INT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_follows_a_run_ends_and_the_next_one_goes_on() {
    let mut world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("handed-over")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("handed-over", "Accepted").await;
    ends_on(&mut world, "TERM").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.wait_for_status(&world.portal, &Status::Completed, crate::support::PATIENCE).await.unwrap();

    restart(&mut world).await;
    world.wait_until_complete("handed-over").await;

    assert_eq!((world.puts(), world.runs().len()), (1, 1));
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_and_recorded_before_the_end() {
    let mut world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    put_fault(&world, Action::Delay { time: Duration::from_secs(1) });
    world.create(world.job("slow")).await;
    put_has_begun(&world).await;
    ends_on(&mut world, "TERM").await;
    let job = world.get("slow").await;
    assert_eq!(ready_reason(&job), "Accepted", "{:#?}", world.states("slow"));
    assert_eq!(job.status.unwrap().submission.unwrap().state, SubmissionState::Accepted);
    world.emulator.set_manual(&world.portal, false).unwrap();
    restart(&mut world).await;
    world.wait_until_complete("slow").await;
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_hangs_holds_the_end_up_for_its_time_limit_only() {
    let mut world = World::new().await;
    put_fault(&world, Action::Hang);
    let job = world.create(world.job("hung")).await;
    let lost = world.lose(&world.portal, &job, 1);
    put_has_begun(&world).await;
    ends_on(&mut world, "TERM").await;
    restart(&mut world).await;
    world.wait_until_complete("hung").await;
    assert_eq!((world.puts(), world.runs().len()), (2, 1));
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_hangs_holds_nothing_up() {
    let mut world = World::builder().flag("--request-timeout=60s").build().await;
    world.emulator.add_fault(Fault::new(Action::Hang).method("GET"));
    world.create(world.job("silent")).await;
    world.at_konnect("a look", |e| (!e.calls().is_empty()).then_some(())).await;
    ends_on(&mut world, "TERM").await;
    assert_eq!(world.puts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait() {
    let mut world = World::builder().flag("--request-timeout=60s").build().await;
    put_fault(&world, Action::Hang);
    world.create(world.job("hung")).await;
    put_has_begun(&world).await;
    world.operator().signal("TERM");
    world
        .operator()
        .wait_for_log("that it stops", |line| line["message"].as_str().is_some_and(|m| m.starts_with("stopping")))
        .await;
    world.operator().signal("TERM");
    let begun = Instant::now();
    assert_eq!(world.operator().exit().await.code(), Some(1));
    assert!(begun.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_leaves_a_run_that_the_next_one_follows() {
    let mut world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("survivor")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("survivor", "Accepted").await;
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    world.wait_for_reason("survivor", "Running").await;
    world.operator().signal("KILL");
    world.operator().exit().await;
    restart(&mut world).await;
    world.more_looks(2).await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("survivor").await;
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
    world.received_once(&lost).await;
}

/// Killed while nobody knows whether Konnect took the request: it did, or it did not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_doubt_when_the_process_was_killed_is_settled_by_the_next() {
    let cases = [(true, 1), (false, 2)].map(async |(applied, puts)| {
        let mut world = World::new().await;
        put_fault(&world, Action::Answer(Reply { status: 502, applied, ..Reply::default() }));
        let job = world.create(world.job("doubtful")).await;
        let lost = world.lose(&world.portal, &job, 2);
        put_has_begun(&world).await;
        world.operator().signal("KILL");
        world.operator().exit().await;
        let intent = world.get("doubtful").await.status.unwrap().submission.unwrap();
        assert_eq!(intent.state, SubmissionState::Intended, "recorded before it was sent");
        restart(&mut world).await;
        world.wait_until_complete("doubtful").await;
        assert_eq!((world.puts(), world.runs().len()), (puts, 1), "applied: {applied}");
        world.received_once(&lost).await;
    });
    futures::future::join_all(cases).await;
}
