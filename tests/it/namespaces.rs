//! Several watched namespaces, and one of them cannot be read.

use std::path::PathBuf;

use control_plane::ControlPlane;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};

use crate::support::{PATIENCE, TOKEN, World, is_true};

/// Lets the `ServiceAccount` work in a namespace, and nowhere else.
async fn bind(plane: &ControlPlane, namespace: &str, account: &str) {
    let binding = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: {account}}}, roleRef: {{apiGroup: \
         rbac.authorization.k8s.io, kind: ClusterRole, name: konnect-replay}}, subjects: [{{kind: ServiceAccount, name: {account}, \
         namespace: konnect-replay}}]}}"
    );
    plane.apply_in(namespace, &binding).await.unwrap();
}

/// The kubeconfig of an account with a Role in the namespace of the world alone, as the chart makes it for `watchNamespaces`.
async fn only_here(world: &World) -> PathBuf {
    let account = format!("only-{}", world.namespace);
    bind(world.plane, &world.namespace, &account).await;
    world.plane.service_account_kubeconfig("konnect-replay", &account).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_may_not_be_read_stops_nobody_else_and_is_served_when_it_may() {
    let mut world = World::builder().without_operator().build().await;
    world.kubeconfig = only_here(&world).await;
    let closed = format!("{}-closed", world.namespace);
    let both = format!("--watch-namespaces={closed},{0},{closed},{0}", world.namespace);
    let mut operator = world.start_operator(&[&both]).await;
    world.create(world.job("goes-on")).await;
    let is_named = |line: &serde_json::Value| line["namespace"] == closed && line["severity"] == "WARNING";
    let refused = operator.wait_for_log("which namespace it may not read", is_named).await;
    assert!(refused["error"].as_str().unwrap().contains("forbidden"), "{refused}");
    world.wait_until_complete("goes-on").await;
    let ready = reqwest::get(format!("{}/readyz", operator.probes().await)).await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);

    // It is made later, with its role, and has a job by then.
    world.plane.create_namespace(&closed).await.unwrap();
    let meta = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let token = Secret {
        metadata: meta("konnect-token"),
        data: Some([("token".to_owned(), ByteString(TOKEN.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    Api::namespaced(world.client.clone(), &closed).create(&PostParams::default(), &token).await.unwrap();
    let jobs: Api<AuditLogReplayJob> = Api::namespaced(world.client.clone(), &closed);
    let job = world.job("late").build();
    jobs.create(&PostParams::default(), &job).await.unwrap();
    bind(world.plane, &closed, &format!("only-{}", world.namespace)).await;
    let done = kube::runtime::wait::await_condition(jobs, "late", |job: Option<&AuditLogReplayJob>| {
        job.is_some_and(|job| is_true(job, &ConditionType::Complete))
    });
    let done = tokio::time::timeout(PATIENCE, done).await.unwrap().unwrap().unwrap();
    assert_eq!(done.name_any(), "late");

    operator.signal("TERM");
    assert_eq!(operator.exit().await.code(), Some(0), "{}", operator.log().join("\n"));
}

/// What never got its list does not hold up the end, before the work has begun without it and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_may_not_be_read_does_not_hold_up_the_end() {
    let mut world = World::builder().without_operator().build().await;
    world.kubeconfig = only_here(&world).await;
    let closed = format!("{}-closed", world.namespace);
    let both = format!("--watch-namespaces={closed},{}", world.namespace);
    for begun in [false, true] {
        let mut operator = world.start_operator(&[&both]).await;
        if begun {
            let without = "may still not list AuditLogReplayJobs here: the work begins without this namespace";
            operator.wait_for_log("that it begins", |line| line["message"] == without).await;
        }
        operator.signal("TERM");
        assert_eq!(operator.exit().await.code(), Some(0), "{}", operator.log().join("\n"));
    }
}
