//! `spec.ttlSecondsAfterFinished`, with the real binary: the record goes, and nothing else does.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use konnect_emulator::{Hold, PathKind};
use konnect_replay::api::AuditLogReplayJob;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{PATIENCE, SERVICE_ACCOUNT, World};

async fn until_gone(world: &World, job: &AuditLogReplayJob) {
    let name = job.name_any();
    let gone = async {
        while world.jobs().get_opt(&name).await.unwrap().is_some_and(|now| now.uid() == job.uid()) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{name} is still there"));
}

/// As if the end had been long ago, so that no test needs to wait a minute.
async fn ended_long_ago(world: &World, name: &str) -> AuditLogReplayJob {
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

/// Every verb of the shipped role, as group, resource and verb.
fn granted() -> BTreeSet<(String, String, String)> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(include_str!("../../deploy/kustomize/base/rbac.yaml")).unwrap();
    let rules = documents.iter().filter_map(|document| document["rules"].as_array()).flatten();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in rules {
        for (group, resource) in texts(&rule["apiGroups"]).iter().zip(texts(&rule["resources"])) {
            granted.extend(texts(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
        }
    }
    granted
}

/// A whole life under an election: whatever verb no call has used by its end is one too many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_role_grants_nothing_that_is_not_used() {
    let mut world = World::builder().without_operator().build().await;
    let before = world.plane.audit_mark().unwrap();
    world.operator = Some(world.start_replica().ready().await);
    let looking = world.emulator.hold(Hold::before().method("GET").path(PathKind::ReplayJob).times(1));
    let job = world.create(world.job("whole-life").spec(|spec| spec.ttl_seconds_after_finished = Some(60))).await;
    // One write is lost, so that the object is read anew.
    world.emulator.wait_held(looking, PATIENCE).await.unwrap();
    world.patch("whole-life", json!({ "metadata": { "labels": { "edited": "meanwhile" } } })).await;
    world.emulator.release(looking).unwrap();
    ended_long_ago(&world, "whole-life").await;
    until_gone(&world, &job).await;
    world.operator().signal("TERM");
    assert!(world.operator().exit().await.success());

    let used = || -> BTreeSet<_> {
        let events = world.plane.audit().since(before).user(SERVICE_ACCOUNT).events().unwrap();
        let ok = events.into_iter().filter(|event| event.code.is_some_and(|code| code < 300));
        ok.filter_map(|event| {
            let sub = event.subresource.map(|sub| format!("/{sub}")).unwrap_or_default();
            Some((event.group?, format!("{}{sub}", event.resource?), event.verb))
        })
        .collect()
    };
    let unused: Vec<_> = granted().difference(&used()).cloned().collect();
    assert!(unused.is_empty(), "granted and not used: {unused:?}");
}

fn hours_ago(hours: i64) -> chrono::DateTime<Utc> {
    Utc::now() - TimeDelta::hours(hours)
}
