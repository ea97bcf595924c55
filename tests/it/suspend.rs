//! `spec.suspend` forbids the next request, never more.

use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};

use crate::support::{JobBuilder, PORTAL, World, condition, is_true, ready_reason};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_job_sends_nothing_until_it_is_resumed() {
    let world = World::new().await;
    world.add_portal("us", PORTAL);
    let job = world.create(world.job("held").suspended()).await;
    let lost = world.lose(&world.portal, &job, 2);
    let held = world.wait_for_reason("held", "Suspended").await;
    assert!(is_true(&held, &ConditionType::Suspended));
    assert!(condition(&held, &ConditionType::Reconciling).or(condition(&held, &ConditionType::Stalled)).is_none());
    assert!(condition(&held, &ConditionType::Suspended).unwrap().message.contains("Nothing has been sent"));
    world.create(JobBuilder::portal("other", "us", PORTAL)).await;
    world.wait_until_complete("other").await;
    assert!(world.emulator.calls().iter().all(|call| call.path.starts_with("/us/")), "a suspended job asks nothing");

    world.suspend("held", false).await;
    let done = world.wait_until_complete("held").await;
    assert!(condition(&done, &ConditionType::Suspended).is_none());
    assert_eq!(done.status.as_ref().unwrap().observed_generation, 2);
    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_suspended_during_its_run_is_followed_to_the_end() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("late")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("late", "Accepted").await;

    world.suspend("late", true).await;
    let says_so = |job: &AuditLogReplayJob| {
        job.status.as_ref().unwrap().observed_generation == 2
            && condition(job, &ConditionType::Ready).unwrap().message.contains("spec.suspend does not stop it")
    };
    let told = world.wait("late", "told that suspend does not stop it", says_so).await;
    assert_eq!(ready_reason(&told), "Accepted");
    world.emulator.set_manual(&world.portal, false).unwrap();
    let done = world.wait_until_complete("late").await;

    assert_eq!(condition(&done, &ConditionType::Complete).unwrap().reason, "Completed");
    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_suspended_while_others_run_gives_its_place_up() {
    let world = World::new().await;
    let window = world.foreign_run(&world.portal);
    world.create(world.job("blocked")).await;
    world.wait_for_reason("blocked", "BlockedByRemoteJob").await;
    world.suspend("blocked", true).await;
    world.wait_for_reason("blocked", "Suspended").await;
    world.add_portal("eu", "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11");
    world.create(JobBuilder::portal("next", "eu", "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11")).await;
    world.wait_until_complete("next").await;
    assert_eq!(world.runs().len(), 1, "only the foreign run of {window:?}");
}
