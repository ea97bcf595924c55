//! The health check and the actions, in Argo CD's interpreter: over the test data in Argo CD's own form, and over real lives.

use k8s_openapi::api::core::v1::ConfigMap;
use konnect_replay_core::api::AuditLogReplayJob;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{file, yaml};
use crate::support::{Reader, World, ask, ready_reason};

const FOLDER: &str = "argocd/resource_customizations/konnect-replay.dev/AuditLogReplayJob";

fn script(path: &str) -> String {
    file(&format!("{FOLDER}/{path}"))
}

async fn run(script: &str, objects: Vec<Value>) -> Vec<Value> {
    let requests = objects.into_iter().map(|object| json!({ "script": script, "object": object })).collect();
    ask(Reader::ArgoCd, requests).await
}

fn tests_of(path: &str, list: &str) -> Vec<Value> {
    yaml(&script(path))[list].as_array().unwrap().clone()
}

fn input(folder: &str, test: &Value, field: &str) -> Value {
    yaml(&script(&format!("{folder}{}", test[field].as_str().unwrap())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_says_of_its_test_data_what_is_written_there() {
    let tests = tests_of("health_test.yaml", "tests");
    let objects = tests.iter().map(|test| input("", test, "inputPath")).collect();
    for (test, health) in tests.iter().zip(run(&script("health.lua"), objects).await) {
        assert_eq!(health, test["healthStatus"], "{}", test["inputPath"]);
    }
    assert!(tests.len() >= 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_actions_are_offered_and_do_what_is_written_there() {
    for test in tests_of("actions/action_test.yaml", "discoveryTests") {
        let found = run(&script("actions/discovery.lua"), vec![input("actions/", &test, "inputPath")]).await.remove(0);
        let mut found: Vec<Value> = found.as_object().unwrap().iter().map(offered).collect();
        found.sort_by_key(|action| action["name"].to_string());
        assert_eq!(Value::Array(found), test["result"], "{}", test["inputPath"]);
    }
    for test in tests_of("actions/action_test.yaml", "actionTests") {
        let action = script(&format!("actions/{}/action.lua", test["action"].as_str().unwrap()));
        let done = run(&action, vec![input("actions/", &test, "inputPath")]).await.remove(0);
        assert_eq!(done, input("actions/", &test, "expectedOutputPath"), "{}", test["action"]);
    }
}

fn offered((name, action): (&String, &Value)) -> Value {
    json!({ "name": name, "disabled": action["disabled"] })
}

#[test]
fn the_configmap_for_argo_cd_has_these_very_scripts() {
    let data = yaml(&file("argocd/argocd-cm.yaml"))["data"].clone();
    let of = |what: &str| data[format!("resource.customizations.{what}.konnect-replay.dev_AuditLogReplayJob")].clone();
    assert_eq!(of("health").as_str().unwrap().trim(), script("health.lua").trim());
    let actions = yaml(of("actions").as_str().unwrap());
    let same = |text: &Value, path: &str| assert_eq!(text.as_str().unwrap().trim(), script(path).trim(), "{path}");
    same(&actions["discovery.lua"], "actions/discovery.lua");
    for definition in actions["definitions"].as_array().unwrap() {
        same(&definition["action.lua"], &format!("actions/{}/action.lua", definition["name"].as_str().unwrap()));
    }
    assert_eq!(actions["definitions"].as_array().unwrap().len(), 2);
}

/// As docs/gitops.md tells to: `kubectl patch --patch-file`, which is a strategic merge patch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patched_with_it_argo_cds_configmap_keeps_what_it_had() {
    let world = World::builder().without_operator().build().await;
    let configmaps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let before =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm}, data: {url: 'https://cd.example.com'}}";
    world.plane.apply_in(&world.namespace, before).await.unwrap();
    let mut patch = yaml(&file("argocd/argocd-cm.yaml"));
    patch["metadata"]["namespace"] = json!(world.namespace);
    let patch = Patch::Strategic(patch);
    let merged = configmaps.patch("argocd-cm", &PatchParams::default(), &patch).await.unwrap().data.unwrap();
    assert_eq!(merged.len(), 3, "{merged:#?}");
    assert_eq!(merged["url"], "https://cd.example.com");
}

async fn health_of(versions: &[AuditLogReplayJob]) -> Vec<String> {
    let objects = versions.iter().map(|job| serde_json::to_value(job).unwrap()).collect();
    let health = run(&script("health.lua"), objects).await;
    let mut health: Vec<String> = health.iter().map(|h| h["status"].as_str().unwrap().to_owned()).collect();
    health.dedup();
    health
}

/// The action's result is what Argo CD patches into the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_life_is_read_right_and_resumed_by_the_action() {
    let world = World::new().await;
    world.create(world.job("real").suspended()).await;
    let held = world.wait_for_reason("real", "Suspended").await;
    let resumed = run(&script("actions/resume/action.lua"), vec![serde_json::to_value(&held).unwrap()]).await.remove(0);
    assert_eq!(resumed["spec"]["suspend"], json!(false));
    world.patch("real", json!({ "spec": resumed["spec"] })).await;
    world.wait_until_complete("real").await;
    assert_eq!(health_of(&world.history.of("real")).await, ["Progressing", "Suspended", "Progressing", "Healthy"]);

    world.create(world.job("failing").spec(|spec| spec.target.region = "xx".to_owned())).await;
    let failing = world.wait_for_reason("failing", "RegionNotAllowed").await;
    assert_eq!(
        (ready_reason(&failing).as_str(), health_of(std::slice::from_ref(&failing)).await),
        ("RegionNotAllowed", vec!["Degraded".to_owned()])
    );
}
