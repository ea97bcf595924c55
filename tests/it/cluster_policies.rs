//! The samples of deploy/policies on a real API server: what they refuse, with which words, and what they let pass.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::rbac::v1::ClusterRole;
use konnect_replay_core::api::{AuditLogReplayJob, DuplicatePolicy};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::support::{JobBuilder, PATIENCE, PORTAL, World};

const OTHER_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";

/// A namespace that takes part, with a user who has `konnect-replay-edit` in it.
async fn world_with(manifests: &[&str], user: &str) -> (World, Api<AuditLogReplayJob>) {
    let world = World::builder().without_operator().build().await;
    world.plane.apply(include_str!("../../deploy/policies/roles.yaml")).await.unwrap();
    for manifest in manifests {
        world.plane.apply(manifest).await.unwrap();
    }
    let label = json!({ "metadata": { "labels": { "konnect-replay.dev/policies": "enforced" } } });
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.patch(&world.namespace, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    world
        .plane
        .apply_in(&world.namespace, &binding("editor", "ClusterRole", "konnect-replay-edit", user))
        .await
        .unwrap();
    let client: Client = world.plane.client_for(user, &[]).await.unwrap();
    let jobs = Api::namespaced(client, &world.namespace);
    (world, jobs)
}

fn binding(name: &str, kind: &str, role: &str, user: &str) -> String {
    format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: {name}}},
          roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}},
          subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]}}"
    )
}

fn role(name: &str, resource: &str, names: &str, verb: &str) -> String {
    format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: {name}}},
          rules: [{{apiGroups: [konnect-replay.dev], resources: [{resource}], resourceNames: {names}, verbs: [{verb}]}}]}}"
    )
}

async fn tried(jobs: &Api<AuditLogReplayJob>, job: &JobBuilder) -> Result<(), String> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    jobs.create(&dry, &job.clone().build()).await.map(drop).map_err(|error| error.to_string())
}

/// Policies and roles take effect when the API server's own watch has shown them to it.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never seen: {what}"))
}

async fn until_refused(jobs: &Api<AuditLogReplayJob>, job: &JobBuilder, words: &str) {
    until(words, async || tried(jobs, job).await.err().filter(|error| error.contains(words))).await;
}

async fn until_allowed(jobs: &Api<AuditLogReplayJob>, job: &JobBuilder) {
    until("that it is allowed", async || tried(jobs, job).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_may_replay_the_portals_that_a_role_names_and_no_others() {
    let (world, jobs) = world_with(&[include_str!("../../deploy/policies/portals.yaml")], "alice").await;
    let (own, other) = (world.job("own"), JobBuilder::portal("other", "eu", OTHER_PORTAL));
    until_refused(&jobs, &own, &format!("alice may not replay {PORTAL}: ask for the verb replay on portals")).await;

    world.plane.apply_in(&world.namespace, &role("portal", "portals", &format!("[{PORTAL}]"), "replay")).await.unwrap();
    world.plane.apply_in(&world.namespace, &binding("portal", "Role", "portal", "alice")).await.unwrap();

    until_allowed(&jobs, &own).await;
    assert!(tried(&jobs, &other).await.unwrap_err().contains("alice may not replay"), "another portal");
    let organization = tried(&jobs, &JobBuilder::organization("all", "eu")).await.unwrap_err();
    assert!(organization.contains("alice may not replay organization"), "{organization}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_replay_again_uses_replay() {
    let (world, jobs) =
        world_with(&[include_str!("../../deploy/policies/duplicates.yaml"), &everything_else_allowed("bob")], "bob")
            .await;
    let again = world.job("again").spec(|spec| spec.duplicate_policy = DuplicatePolicy::Replay);
    until_refused(&jobs, &again, "bob may not use duplicatePolicy Replay: leave it out").await;
    until_allowed(&jobs, &world.job("plain")).await;
    jobs.create(&PostParams::default(), &world.job("plain").build()).await.unwrap();
    let edit = Patch::Merge(json!({ "spec": { "duplicatePolicy": "Replay" } }));
    let refused = jobs.patch("plain", &PatchParams::default(), &edit).await.unwrap_err().to_string();
    assert!(refused.contains("may not use duplicatePolicy Replay"), "{refused}");

    world.patch("plain", json!({ "spec": { "duplicatePolicy": "Replay" } })).await;
    let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
    jobs.patch("plain", &PatchParams::default(), &suspend)
        .await
        .expect("what somebody else allowed is no matter of this edit");

    world.plane.apply_in(&world.namespace, &role("again", "auditlogreplayjobs", "[]", "replay-again")).await.unwrap();
    world.plane.apply_in(&world.namespace, &binding("again", "Role", "again", "bob")).await.unwrap();
    until_allowed(&jobs, &again).await;
}

/// All policies bind by the same label, and all tests share the cluster: whoever tests another one may replay every portal.
fn everything_else_allowed(user: &str) -> String {
    format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: all-portals}},
          rules: [{{apiGroups: [konnect-replay.dev], resources: [portals], verbs: [replay]}}]}}
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: all-portals-{user}}},
  roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all-portals}},
  subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]}}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_longer_than_a_day_is_refused() {
    let (world, jobs) =
        world_with(&[include_str!("../../deploy/policies/windows.yaml"), &everything_else_allowed("carol")], "carol")
            .await;
    let ago = |hours| chrono::Utc::now() - chrono::TimeDelta::hours(hours);
    let end = ago(2);
    let long = world.job("long").window(end - chrono::TimeDelta::seconds(24 * 3600 + 1), end);
    until_refused(&jobs, &long, "windows of more than 24 hours are not allowed here: create several objects").await;
    until_allowed(&jobs, &world.job("a-day").window(end - chrono::TimeDelta::hours(24), end)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_git_does_not_go_by_itself() {
    let (world, jobs) =
        world_with(&[include_str!("../../deploy/policies/git.yaml"), &everything_else_allowed("dave")], "dave").await;
    let brief = |name| world.job(name).spec(|spec| spec.ttl_seconds_after_finished = Some(600));
    let owned = |label: bool, key: &str| {
        let mut job = brief("owned").build();
        let map = if label { &mut job.metadata.labels } else { &mut job.metadata.annotations };
        map.get_or_insert_default().insert(key.to_owned(), "replays".to_owned());
        job
    };
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let keys = [
        (true, "kustomize.toolkit.fluxcd.io/name"),
        (true, "helm.toolkit.fluxcd.io/name"),
        (true, "argocd.argoproj.io/instance"),
        (false, "argocd.argoproj.io/tracking-id"),
        // Argo CD 2, and Helm.
        (true, "app.kubernetes.io/instance"),
        (false, "meta.helm.sh/release-name"),
        // Rancher Fleet writes it as a label or as an annotation.
        (true, "objectset.rio.cattle.io/hash"),
        (false, "objectset.rio.cattle.io/hash"),
        (false, "configmanagement.gke.io/managed"),
        (false, "config.k8s.io/owning-inventory"),
    ];
    for (label, key) in keys {
        let job = owned(label, key);
        until(key, async || jobs.create(&dry, &job).await.err().filter(|e| e.to_string().contains("comes from Git")))
            .await;
        let mut kept = job;
        kept.spec.ttl_seconds_after_finished = None;
        jobs.create(&dry, &kept).await.unwrap();
    }
    until_allowed(&jobs, &brief("by-hand")).await;
}

/// The quota's own controller is not part of the control plane of the tests: the test writes the first count in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_counts_objects() {
    let world = World::builder().without_operator().build().await;
    let text = include_str!("../../deploy/policies/quota.yaml");
    let text = text.replace("namespace: audit", &format!("namespace: {}", world.namespace)).replace("\"50\"", "\"2\"");
    world.plane.apply(&text).await.unwrap();
    let quotas: Api<ResourceQuota> = Api::namespaced(world.client.clone(), &world.namespace);
    let key = "count/auditlogreplayjobs.konnect-replay.dev";
    let counted = json!({ "status": { "hard": { key: "2" }, "used": { key: "0" } } });
    quotas.patch_status("auditlogreplayjobs", &PatchParams::default(), &Patch::Merge(counted)).await.unwrap();

    until("that the quota is in force", async || {
        for name in ["one", "two", "three"] {
            if let Err(error) = world.jobs().create(&PostParams::default(), &world.job(name).build()).await {
                return error.to_string().contains("exceeded quota: auditlogreplayjobs").then_some(());
            }
        }
        for name in ["one", "two", "three"] {
            world.delete(name).await;
        }
        None
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn view_and_edit_are_aggregated_and_nobody_writes_the_status() {
    let (world, jobs) = world_with(&[], "erin").await;
    let roles: Api<ClusterRole> = Api::all(world.client.clone());
    for (whole, parts) in [
        ("view", vec!["konnect-replay-view"]),
        ("edit", vec!["konnect-replay-view", "konnect-replay-edit"]),
        ("admin", vec!["konnect-replay-view", "konnect-replay-edit"]),
    ] {
        let selectors = roles.get(whole).await.unwrap().aggregation_rule.unwrap().cluster_role_selectors.unwrap();
        for part in parts {
            let labels = roles.get(part).await.unwrap().metadata.labels.unwrap();
            let selects = selectors.iter().flat_map(|selector| selector.match_labels.iter().flatten());
            let mut wanted = selects.filter(|(key, value)| labels.get(*key) == Some(value));
            assert!(wanted.next().is_some(), "{whole} does not take {part} in");
        }
    }
    world
        .plane
        .apply_in(&world.namespace, &binding("viewer", "ClusterRole", "konnect-replay-view", "erin"))
        .await
        .unwrap();
    world.plane.apply(&everything_else_allowed("erin")).await.unwrap();
    until_allowed(&jobs, &world.job("mine")).await;
    jobs.create(&PostParams::default(), &world.job("mine").build()).await.unwrap();
    until("that it can be read", async || jobs.get("mine").await.ok()).await;
    let lie = Patch::Merge(json!({ "status": { "attempts": 7 } }));
    let refused = jobs.patch_status("mine", &PatchParams::default(), &lie).await.unwrap_err().to_string();
    assert!(refused.contains("auditlogreplayjobs/status"), "{refused}");
    let viewer = binding("only-viewer", "ClusterRole", "konnect-replay-view", "frank");
    world.plane.apply_in(&world.namespace, &viewer).await.unwrap();
    let seen: Api<AuditLogReplayJob> =
        Api::namespaced(world.plane.client_for("frank", &[]).await.unwrap(), &world.namespace);
    until("that a viewer can read", async || seen.get("mine").await.ok()).await;
    let refused = tried(&seen, &world.job("not-mine")).await.unwrap_err();
    assert!(refused.contains("cannot create resource"), "{refused}");
}
