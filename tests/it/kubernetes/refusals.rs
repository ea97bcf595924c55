//! An API server that refuses, fails, loses answers or says nothing.

use control_plane::proxy::{Calls, Fault, Point, Verb};
use futures::future::join_all;
use konnect_replay_core::api::ConditionType;

use super::steps::{Step, writes};
use crate::support::{PATIENCE, World, condition, is_true, ready_reason};

/// A job that ends as if nothing had been done to these calls, each kind of which does come.
async fn survives(calls: Vec<Calls>, fault: Fault) {
    println!("  {fault:?}");
    let world = World::builder().through_proxy().build().await;
    let rules: Vec<_> = calls.into_iter().map(|calls| world.proxy().fault(calls, fault.clone())).collect();
    world.create(world.job("survivor")).await;
    world.ends_as_if_undisturbed("survivor").await;
    for rule in rules {
        let hit = world.proxy().wait_hits(rule, 1, PATIENCE).await;
        hit.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_may_be_refused_fail_or_lose_its_answer() {
    let faults = [
        Fault::Answer(409),
        Fault::AnswerRetryAfter(429, 1),
        Fault::Answer(500),
        Fault::Answer(503),
        Fault::Cut(Point::Before),
        Fault::Cut(Point::After),
    ];
    let writes = || [Step::FirstVisit, Step::Intent, Step::Acceptance, Step::End].map(|step| step.calls().times(1));
    join_all(faults.map(|fault| survives(writes().into(), fault))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_may_go_unanswered_and_take_effect_or_not() {
    let writes = || [Step::Intent, Step::Acceptance, Step::End].map(|step| step.calls().times(1));
    join_all([Point::Before, Point::After].map(|point| survives(writes().into(), Fault::Hold(point)))).await;
}

/// One API server of several may not know an object yet, and a load balancer has a 404 of its own. What is there is looked at again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_write_meets_a_404_is_looked_at_again() {
    survives([Step::Intent.calls().times(1)].into(), Fault::Answer(404)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_arrives_after_the_next_one_loses() {
    let world = World::builder().through_proxy().build().await;
    let late = world.proxy().fault(Step::Intent.calls().times(1), Fault::Hold(Point::Before));
    world.create(world.job("survivor")).await;
    world.proxy().wait_hits(late, 1, PATIENCE).await.unwrap();
    // Given up by the operator after its time limit, recorded anew, and sent: then the first record arrives.
    world.wait_for_reason("survivor", "Accepted").await;
    world.proxy().release(late);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_all_meet_a_409_for_a_while_send_nothing_and_go_on_afterwards() {
    let world = World::builder().through_proxy().build().await;
    let refusing = world.proxy().fault(writes(|_| true), Fault::Answer(409));
    world.create(world.job("survivor")).await;
    // More than one pass, each with its own tries.
    world.proxy().wait_hits(refusing, 10, PATIENCE).await.unwrap();
    assert_eq!(world.puts(), 0, "something was sent without a record");
    world.proxy().release(refusing);
    world.ends_as_if_undisturbed("survivor").await;
}

/// Nothing that is recorded of it lasts, so it is never sent; and it would be the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_writes_are_always_refused_holds_up_nobody() {
    let world = World::builder().through_proxy().without_operator().build().await;
    let start = chrono::Utc::now() - chrono::TimeDelta::hours(50);
    world.create(world.job("first").window(start, start + chrono::TimeDelta::hours(1))).await;
    world.create(world.job("survivor")).await;
    let refused = world.proxy().fault(writes(|_| true).name("first"), Fault::Answer(500));
    let _operator = world.start_operator(&[]).await;
    world.proxy().wait_hits(refused, 1, PATIENCE).await.unwrap();
    world.ends_as_if_undisturbed("survivor").await;
    world.proxy().release(refused);
    world.wait_until_complete("first").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_freezes_while_a_run_is_under_way_is_gone_on_with_when_it_thaws() {
    let mut world = World::builder().through_proxy().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "Accepted").await;
    world.proxy().freeze();
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.at_konnect("that the run has ended", |_| world.runs().first()?.ended_at).await;
    let gave_up =
        |line: &serde_json::Value| line["error"].as_str().is_some_and(|error| error.starts_with("the apiserver "));
    world.operator().wait_for_log("that a call was given up", gave_up).await;
    world.proxy().thaw();
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_may_not_be_read_is_a_visible_wait_and_costs_nothing() {
    let world = World::builder().through_proxy().build().await;
    let forbidden = world.proxy().fault(Calls::any().verb(Verb::Get).resource("secrets"), Fault::Answer(403));
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "WaitingForCredentials").await;
    world.proxy().wait_hits(forbidden, 3, PATIENCE).await.unwrap();
    let job = world.get("survivor").await;
    let message = condition(&job, &ConditionType::Ready).unwrap().message.clone();
    assert!(message.contains("403"), "{message}");
    assert!(world.emulator.calls().is_empty(), "Konnect was asked without a token");
    world.proxy().release(forbidden);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_may_not_be_read_any_more_does_not_end_a_run() {
    let world = World::builder().through_proxy().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "Accepted").await;
    let forbidden = world.proxy().fault(Calls::any().verb(Verb::Get).resource("secrets"), Fault::Answer(403));
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.at_konnect("that the run has ended", |_| world.runs().first()?.ended_at).await;
    world.proxy().wait_hits(forbidden, 2, PATIENCE).await.unwrap();
    let job = world.get("survivor").await;
    assert!(!is_true(&job, &ConditionType::Finished), "{}", ready_reason(&job));
    world.proxy().release(forbidden);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_may_not_be_written_or_are_never_answered_change_nothing() {
    let events = || vec![Calls::any().verb(Verb::Create).resource("events")];
    join_all([Fault::Answer(403), Fault::Hold(Point::Before)].map(|fault| survives(events(), fault))).await;
}
