//! `--wait` through a cluster that fails meanwhile: what may pass is waited out and said.

use control_plane::proxy::{Calls, Fault, FaultId, FaultProxy, Point};
use konnect_emulator::Status;

use super::{Plugin, Running};
use crate::support::{PORTAL, World};

const CREATE: [&str; 9] = ["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h", "--wait"];

/// Somebody with the rights that README names, whose calls go through a proxy.
async fn proxied(world: &World) -> (FaultProxy, Plugin) {
    let role = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: replays}}, rules: [{{apiGroups: \
         [konnect-replay.dev], resources: [auditlogreplayjobs], verbs: [get, list, watch, create, patch]}}]}}\n---\n\
         {{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: replays}}, roleRef: {{apiGroup: \
         rbac.authorization.k8s.io, kind: Role, name: replays}}, subjects: [{{kind: ServiceAccount, name: dave, namespace: {}}}]}}",
        world.namespace
    );
    world.plane.apply_in(&world.namespace, &role).await.unwrap();
    let direct = world.plane.service_account_kubeconfig(&world.namespace, "dave").await.unwrap();
    let proxy = FaultProxy::start(world.plane).await.unwrap();
    let plugin = Plugin::with(world, world.plane.kubeconfig_via(&direct, proxy.url()).unwrap());
    // The authorizer sees the role a moment later.
    while plugin.run(&["list"]).await.code != Some(0) {}
    (proxy, plugin)
}

/// A plugin that waits for a job which is under way, and hears nothing of it any more.
struct Deaf {
    waiting: Running,
    proxy: FaultProxy,
    outage: FaultId,
}

impl Deaf {
    /// From now on no call comes through, and no watch goes on.
    async fn of(world: &World) -> Self {
        world.emulator.set_manual(&world.portal, true).unwrap();
        let (proxy, plugin) = proxied(world).await;
        let waiting = plugin.start(&CREATE);
        waiting.prints("Z  Accepted: ").await;
        let outage = proxy.fault(Calls::any(), Fault::Cut(Point::Before));
        proxy.cut_watches(&Calls::any());
        Self { waiting, proxy, outage }
    }

    /// Calls come through again, and it ends.
    async fn hears_again(&mut self) -> Option<i32> {
        self.proxy.release(self.outage);
        self.waiting.exit().await.code()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_api_server_is_said_and_waited_out() {
    let world = World::new().await;
    let mut deaf = Deaf::of(&world).await;
    deaf.waiting.prints(&format!("cannot reach the cluster at {}/: ", deaf.proxy.url())).await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.wait_until_complete("outage").await;
    assert_eq!(deaf.hears_again().await, Some(0), "{}", deaf.waiting.out());
    deaf.waiting.prints("Z  Completed: ").await;
    assert!(deaf.waiting.out().contains("; tried again\n"), "{}", deaf.waiting.out());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_job_of_the_same_name_is_not_taken_for_the_one_that_was_followed() {
    let world = World::new().await;
    let mut deaf = Deaf::of(&world).await;
    world.delete("outage").await;
    world.create(world.job("outage")).await;
    assert_eq!(deaf.hears_again().await, Some(1), "{}", deaf.waiting.out());
    let said = || deaf.waiting.err().contains("outage was deleted before it had finished");
    super::eventually(said, || deaf.waiting.err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_operator_looks_it_says_so() {
    let world = World::builder().without_operator().build().await;
    let mut waiting = Plugin::of(&world).start(&CREATE);
    waiting.prints("Z  Unseen: No operator has looked at it yet.").await;
    waiting.signal("INT");
    assert_eq!(waiting.exit().await.code(), Some(130));
}
