//! Finished objects, after a restart has left of them in memory what is still asked.

use chrono::{SubsecRound, TimeDelta, Utc};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionStatus, ConditionType};
use serde_json::json;

use crate::support::{World, condition, ready_reason};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_a_finished_object_is_observed_and_its_record_stays_whole() {
    let mut world = World::new().await;
    world.create(world.job("done")).await;
    let done = world.wait_until_complete("done").await;
    world.operator = None;
    world.operator = Some(world.start_operator(&[]).await);

    world.patch("done", json!({ "spec": { "backoffLimit": 3 } })).await;
    let observed = |generation| {
        move |job: &konnect_replay_core::api::AuditLogReplayJob| {
            job.status.as_ref().is_some_and(|status| status.observed_generation == generation)
        }
    };
    let edited = world.wait_now("done", "observed", observed(2)).await;

    let (mut before, after) = (done.status.unwrap(), edited.status.unwrap());
    followed(&mut before, 2);
    assert_eq!(after, before);
    // And once more, now that this process has made it small itself.
    world.patch("done", json!({ "spec": { "backoffLimit": 4 } })).await;
    followed(&mut before, 3);
    assert_eq!(world.wait_now("done", "observed", observed(3)).await.status.unwrap(), before);
}

/// `kubectl wait` compares the generation of the condition that it waits for.
fn followed(status: &mut konnect_replay_core::api::AuditLogReplayJobStatus, generation: i64) {
    status.observed_generation = generation;
    status.conditions.iter_mut().for_each(|condition| condition.observed_generation = Some(generation));
}

/// `kubectl wait --for=condition=X` reports "not met" while the condition is of an older generation than the object, however the
/// job ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_wait_is_met_after_an_edit_however_the_job_ended() {
    let world = World::new().await;
    let long_ago = Utc::now() - TimeDelta::days(20);
    let first = world.create(world.job("completed")).await;
    world.lose(&world.portal, &first, 1);
    world.wait_until_complete("completed").await;
    world.create(world.job("skipped").spec(|spec| spec.window = first.spec.window.clone())).await;
    assert_eq!(ready_reason(&world.wait_until_complete("skipped").await), "AlreadyReplayed");
    world.create(world.job("failed").window(long_ago, long_ago + TimeDelta::hours(1))).await;
    world.wait_until_failed("failed").await;

    for (name, verdict) in [("completed", "Complete"), ("skipped", "Complete"), ("failed", "Failed")] {
        for edit in [json!({ "ttlSecondsAfterFinished": 3600 }), json!({ "suspend": true })] {
            world.patch(name, json!({ "spec": edit })).await;
        }
        let generation = world.get(name).await.metadata.generation;
        assert_eq!(generation, Some(3), "{name}");
        for type_ in ["Finished", verdict] {
            let is_met = |job: &AuditLogReplayJob| {
                let conditions = job.status.iter().flat_map(|status| &status.conditions);
                let mut met = conditions.filter(|c| c.type_.to_string() == type_ && c.status == ConditionStatus::True);
                met.any(|condition| condition.observed_generation >= generation)
            };
            world.wait_now(name, &format!("met for {type_}"), is_met).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_replayed_before_the_restart_is_known_by_the_object_that_did_it() {
    let mut world = World::new().await;
    let start = Utc::now().trunc_subsecs(0) - TimeDelta::hours(9);
    let window = |hour| (start + TimeDelta::hours(hour), start + TimeDelta::hours(hour + 1));
    for (name, hour) in [("first", 0), ("between", 2)] {
        let job = world.create(world.job(name).window(window(hour).0, window(hour).1)).await;
        world.lose(&world.portal, &job, 1);
        world.wait_until_complete(name).await;
    }
    world.operator = None;
    world.operator = Some(world.start_operator(&[]).await);

    // Konnect's last job is the other one: only the finished object remembers.
    world.create(world.job("again").window(window(0).0, window(0).1 - TimeDelta::seconds(30))).await;
    let skipped = world.wait_until_complete("again").await;

    let verdict = condition(&skipped, &ConditionType::Complete).unwrap();
    assert_eq!(verdict.reason, "AlreadyReplayed");
    assert!(verdict.message.contains("first"), "{}", verdict.message);
    assert_eq!(world.puts(), 2);
}
