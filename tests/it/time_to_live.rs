//! `spec.ttlSecondsAfterFinished`, with the real binary: the record goes, and nothing else does.

use chrono::{TimeDelta, Utc};
use konnect_replay_core::api::AuditLogReplayJob;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{PATIENCE, SERVICE_ACCOUNT, World};

pub(crate) async fn until_gone(world: &World, job: &AuditLogReplayJob) {
    let name = job.name_any();
    let gone = async {
        while world.jobs().get_opt(&name).await.unwrap().is_some_and(|now| now.uid() == job.uid()) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{name} is still there"));
}

/// As if the end had been long ago, so that no test needs to wait a minute.
pub(crate) async fn ended_long_ago(world: &World, name: &str) -> AuditLogReplayJob {
    let done = world.wait_until_complete(name).await;
    let status = json!({ "status": { "completionTime": Utc::now() - TimeDelta::minutes(10) } });
    world.jobs().patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_object_is_deleted_when_its_time_is_over_even_if_that_was_set_afterwards() {
    let world = World::new().await;
    world.create(world.job("kept")).await;
    let kept = ended_long_ago(&world, "kept").await;
    world.create(world.job("brief").window(hours_ago(5), hours_ago(4))).await;
    let brief = ended_long_ago(&world, "brief").await;

    world.patch("brief", json!({ "spec": { "ttlSecondsAfterFinished": 60 } })).await;
    until_gone(&world, &brief).await;

    assert_eq!(world.get("kept").await.uid(), kept.uid());
    let deletes = world.audit().user(SERVICE_ACCOUNT).verb("delete").events().unwrap();
    for delete in &deletes {
        let exactly = &delete.request_object.as_ref().unwrap()["preconditions"];
        assert_eq!(exactly["uid"].as_str(), brief.metadata.uid.as_deref());
        assert!(exactly["resourceVersion"].is_string(), "whoever edits the object at this moment is heard first");
    }
    assert_eq!(deletes.iter().filter(|delete| delete.code == Some(200)).count(), 1, "{deletes:#?}");
    assert_eq!(world.runs().len(), 2, "and nothing was sent because of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_object_goes_by_itself() {
    let world = World::new().await;
    let job = world.create(world.job("brief").spec(|spec| spec.ttl_seconds_after_finished = Some(60))).await;
    ended_long_ago(&world, "brief").await;
    until_gone(&world, &job).await;
}

/// Who finished while no operator ran is found by the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_whose_time_passed_while_nobody_watched_is_deleted_by_the_next_process() {
    let mut world = World::new().await;
    let job = world.create(world.job("late").spec(|spec| spec.ttl_seconds_after_finished = Some(3600))).await;
    world.wait_until_complete("late").await;
    world.operator().signal("TERM");
    assert!(world.operator().exit().await.success());
    let status = json!({ "status": { "completionTime": Utc::now() - TimeDelta::hours(2) } });
    world.jobs().patch_status("late", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    world.emulator.clear_calls();
    world.operator = Some(world.start_operator(&[]).await);
    until_gone(&world, &job).await;
    assert!(world.emulator.calls().is_empty(), "Konnect has nothing to do with it");
}

fn hours_ago(hours: i64) -> chrono::DateTime<Utc> {
    Utc::now() - TimeDelta::hours(hours)
}
