//! Flux's health expressions over real objects, in the interpreter that Flux uses; and what kustomize builds of the examples.

use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use serde_json::{Value, json};

use super::{file, yaml};
use crate::support::{JobBuilder, Reader, World, ask, is_true};

fn expressions() -> Value {
    yaml(&file("flux/example/clusters/replays-awaited.yaml"))["spec"]["healthCheckExprs"][0].clone()
}

async fn verdicts(jobs: &[AuditLogReplayJob]) -> Vec<String> {
    verdicts_by(expressions(), jobs).await
}

async fn verdicts_by(expressions: Value, jobs: &[AuditLogReplayJob]) -> Vec<String> {
    let mut lines = vec![expressions];
    lines.extend(jobs.iter().map(|job| serde_json::to_value(job).unwrap()));
    let verdicts = ask(Reader::Flux, lines).await;
    verdicts.iter().map(|verdict| verdict["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expressions_agree_with_kstatus_at_every_moment() {
    let world = World::new().await;
    world.create(world.job("held").suspended()).await;
    world.wait_for_reason("held", "Suspended").await;
    assert_eq!(verdicts(&world.history.of("held")).await.last().unwrap(), "InProgress");
    world.suspend("held", false).await;
    world.wait_until_complete("held").await;
    world.suspend("held", true).await;
    world.wait_now("held", "observed", |job| job.status.as_ref().unwrap().observed_generation == 3).await;
    world.create(JobBuilder::organization("nowhere", "xx")).await;
    world.wait("nowhere", "Stalled", |job| is_true(job, &ConditionType::Stalled)).await;

    for (name, end) in [("held", "Current"), ("nowhere", "Failed")] {
        let versions = world.history.of(name);
        let objects = versions.iter().map(|job| serde_json::to_value(job).unwrap()).collect();
        let kstatus = ask(Reader::Kstatus, objects).await;
        let kstatus: Vec<String> = kstatus.iter().map(|v| v["status"].as_str().unwrap().to_owned()).collect();
        assert_eq!(verdicts(&versions).await, kstatus, "{name}: {:#?}", world.states(name));
        assert_eq!(kstatus.last().unwrap(), end);
    }
}

/// What docs/gitops.md says of a suspended object that shall count as done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_line_moved_a_suspended_object_counts_as_done_and_nothing_else_changes() {
    let world = World::new().await;
    world.create(world.job("held").suspended()).await;
    let held = world.wait_for_reason("held", "Suspended").await;
    world.suspend("held", false).await;
    let done = world.wait_until_complete("held").await;
    let mut moved = expressions();
    let of_suspended = "|| status.conditions.exists(c, c.type == 'Suspended' && c.status == 'True')";
    let without = moved["inProgress"].as_str().unwrap().replace(of_suspended, "");
    assert_ne!(moved["inProgress"], json!(without), "the line stands there");
    moved["inProgress"] = json!(without);
    moved["current"] = json!(format!("{} {of_suspended}", moved["current"].as_str().unwrap()));
    let mut unvisited = held.clone();
    unvisited.metadata.generation = Some(7);
    assert_eq!(verdicts_by(moved, &[held, unvisited, done]).await, ["Current", "InProgress", "Current"]);
}

async fn built(folder: &str) -> Vec<Value> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gitops").join(folder);
    ask(Reader::Kustomize, vec![json!(folder)]).await.remove(0).as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_repositories_build_and_the_api_server_takes_what_comes_out() {
    let world = World::builder().without_operator().build().await;
    for example in ["argocd/example/replays", "flux/example/replays"] {
        for mut object in built(example).await {
            assert_eq!(object["metadata"]["namespace"], "audit");
            object["metadata"]["namespace"] = json!(world.namespace);
            world.plane.apply(&object.to_string()).await.unwrap();
        }
    }
    assert!(world.jobs().get_opt("siem-outage-2026-11-20").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hash_that_secret_generator_adds_reaches_the_object() {
    let objects = built("secret-generator").await;
    let named = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    let secret = named("Secret")["metadata"]["name"].as_str().unwrap();
    assert!(secret.starts_with("konnect-token-"), "{secret}");
    assert_eq!(named("AuditLogReplayJob")["spec"]["tokenSecretRef"]["name"], secret);
}
