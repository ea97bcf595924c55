//! The fault proxy against the real API server: that it changes nothing unasked, and that each fault is what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use control_plane::proxy::{Calls, EventFault, Events, Fault, FaultId, FaultProxy, Point, Verb};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: through-the-proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: somebody, namespace: through-the-proxy}]
";

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A namespace, a proxy, and two ways to the `ConfigMap`s in it.
struct World {
    plane: &'static ControlPlane,
    proxy: FaultProxy,
    namespace: String,
    /// Past the proxy.
    direct: Api<ConfigMap>,
    /// Through the proxy, with a token, without retries.
    through: Api<ConfigMap>,
}

impl World {
    async fn new() -> Self {
        let plane = ControlPlane::shared().unwrap();
        plane.create_namespace("through-the-proxy").await.unwrap();
        plane.apply(ROLE).await.unwrap();
        let namespace = format!("proxied-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        plane.create_namespace(&namespace).await.unwrap();
        let proxy = FaultProxy::start(plane).await.unwrap();
        let direct = Api::namespaced(plane.admin_client().unwrap(), &namespace);
        let through = Api::namespaced(client(plane, &proxy).await, &namespace);
        let world = Self { plane, proxy, namespace, direct, through };
        world.let_in().await;
        world
    }

    /// Waits until the authorizer knows the role.
    async fn let_in(&self) {
        while self.through.list(&ListParams::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn create(&self, name: &str) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata, ..ConfigMap::default() };
        self.direct.create(&PostParams::default(), &map).await.unwrap()
    }

    async fn write(&self, api: &Api<ConfigMap>, name: &str, value: &str) -> kube::Result<ConfigMap> {
        api.patch(name, &PatchParams::default(), &Patch::Merge(json!({ "data": { "key": value } }))).await
    }

    async fn value(&self, name: &str) -> Option<String> {
        self.direct.get(name).await.unwrap().data.and_then(|data| data.get("key").cloned())
    }

    /// A watch through the proxy, from now on.
    async fn watch(&self) -> BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>> {
        let version = self.direct.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        self.through.watch(&WatchParams::default(), &version).await.unwrap().boxed()
    }

    async fn hit(&self, id: FaultId, n: usize) {
        self.proxy.wait_hits(id, n, PATIENCE).await.unwrap();
    }
}

async fn client(plane: &ControlPlane, proxy: &FaultProxy) -> Client {
    let direct = plane.service_account_kubeconfig("through-the-proxy", "somebody").await.unwrap();
    let file = plane.kubeconfig_via(&direct, proxy.url()).unwrap();
    let parsed = kube::config::Kubeconfig::read_from(file).unwrap();
    let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config.proxy_url = None;
    Client::try_from(config).unwrap()
}

fn maps() -> Calls {
    Calls::any().resource("configmaps")
}

fn watches() -> Calls {
    maps().verb(Verb::Watch)
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("not an answer: {other}"),
    }
}

/// The next event, as `TYPE name value`.
async fn next(events: &mut BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>) -> String {
    let event = tokio::time::timeout(PATIENCE, events.try_next()).await.expect("no event");
    let text = |kind: &str, map: ConfigMap| {
        let value = map.data.as_ref().and_then(|data| data.get("key").cloned()).unwrap_or_default();
        format!("{kind} {} {value}", map.name_any()).trim_end().to_owned()
    };
    match event {
        Ok(Some(WatchEvent::Added(map))) => text("ADDED", map),
        Ok(Some(WatchEvent::Modified(map))) => text("MODIFIED", map),
        Ok(Some(WatchEvent::Deleted(map))) => text("DELETED", map),
        Ok(Some(WatchEvent::Bookmark(_))) => "BOOKMARK".to_owned(),
        Ok(Some(WatchEvent::Error(status))) => format!("ERROR {}", status.code),
        Ok(None) => "END".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn without_a_rule_nothing_is_changed() {
    let world = World::new().await;
    let made = world.create("a").await;
    let mut events = world.watch().await;
    assert_eq!(world.through.get("a").await.unwrap(), made);
    world.write(&world.through, "a", "one").await.unwrap();
    assert_eq!(next(&mut events).await, "MODIFIED a one");
    world.through.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(next(&mut events).await, "DELETED a one");
    assert_eq!(code(world.through.get("a").await.unwrap_err()), 404);
    // The server knows who asked.
    let user = "system:serviceaccount:through-the-proxy:somebody";
    let asked = world.plane.audit().namespace(&world.namespace).user(user).verb("patch").name("a");
    assert_eq!(asked.count().unwrap(), 1);
}

#[tokio::test]
async fn http_2_passes_too_and_a_body_may_be_large() {
    let world = World::new().await;
    world.create("large").await;
    let text = "x".repeat(900_000);
    world.write(&world.through, "large", &text).await.unwrap();
    assert_eq!(world.value("large").await.unwrap().len(), text.len());
    let ca = reqwest::Certificate::from_pem(world.plane.ca_certificate().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    let answer = client.get(format!("{}/version", world.proxy.url())).send().await.unwrap();
    // Nobody's credentials: the proxy lends none of its own.
    assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 200));
    let path = format!("{}/api/v1/namespaces/{}/configmaps", world.proxy.url(), world.namespace);
    assert_eq!(client.get(path).send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_refused_call_has_no_effect_and_reads_like_the_servers_own() {
    let world = World::new().await;
    world.create("a").await;
    for refused in [403, 404, 409, 410, 429, 500, 503] {
        let id = world.proxy.fault(maps().verb(Verb::Patch).name("a").times(1), Fault::Answer(refused));
        assert_eq!(code(world.write(&world.through, "a", "no").await.unwrap_err()), refused);
        assert_eq!(world.proxy.hits(id), 1);
    }
    assert_eq!(world.value("a").await, None);
    world.write(&world.through, "a", "yes").await.unwrap();
}

#[tokio::test]
async fn a_429_says_when_to_come_back() {
    let world = World::new().await;
    world.proxy.fault(Calls::any(), Fault::AnswerRetryAfter(429, 7));
    let ca = reqwest::Certificate::from_pem(world.plane.ca_certificate().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    let answer = client.get(world.proxy.url()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "7"));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_effect_and_a_lost_request_none() {
    let world = World::new().await;
    world.create("a").await;
    world.proxy.fault(maps().verb(Verb::Patch).times(1), Fault::Cut(Point::After));
    world.write(&world.through, "a", "after").await.unwrap_err();
    assert_eq!(world.value("a").await.unwrap(), "after");
    world.proxy.fault(maps().verb(Verb::Patch).times(1), Fault::Cut(Point::Before));
    world.write(&world.through, "a", "before").await.unwrap_err();
    assert_eq!(world.value("a").await.unwrap(), "after");
}

#[tokio::test]
async fn a_delayed_call_is_passed_on_later() {
    let world = World::new().await;
    world.create("a").await;
    world.proxy.fault(maps().verb(Verb::Patch).times(1), Fault::Delay(Duration::from_millis(300)));
    let began = Instant::now();
    world.write(&world.through, "a", "late").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_held_call_waits_before_or_after_its_effect() {
    let world = World::new().await;
    world.create("a").await;
    for (point, seen) in [(Point::Before, None), (Point::After, Some("held"))] {
        world.write(&world.direct, "a", "none").await.unwrap();
        let is_ours = |body: &serde_json::Value| body["data"]["key"] == "held";
        let held = world.proxy.fault(maps().verb(Verb::Patch).body_where(is_ours), Fault::Hold(point));
        let writing = tokio::spawn({
            let through = world.through.clone();
            async move {
                let patch = Patch::Merge(json!({ "data": { "key": "held" } }));
                through.patch("a", &PatchParams::default(), &patch).await
            }
        });
        world.hit(held, 1).await;
        if let Some(seen) = seen {
            while world.value("a").await.as_deref() != Some(seen) {}
        } else {
            assert_eq!(world.value("a").await.unwrap(), "none");
        }
        assert!(!writing.is_finished());
        world.proxy.release(held);
        assert_eq!(writing.await.unwrap().unwrap().data.unwrap()["key"], "held");
    }
}

#[tokio::test]
async fn a_call_held_before_its_effect_has_it_on_release_though_its_client_left_and_never_when_cut() {
    let world = World::new().await;
    world.create("a").await;
    for cut in [true, false] {
        let held = world.proxy.fault(maps().verb(Verb::Patch), Fault::Hold(Point::Before));
        let leaving = tokio::time::timeout(Duration::from_millis(200), world.write(&world.through, "a", "held"));
        let left = tokio::join!(leaving, world.hit(held, 1)).0;
        assert!(left.is_err(), "it was not held");
        if cut {
            world.proxy.cut_held(held);
            // Whatever was to come of it would be there before this one.
            world.write(&world.through, "a", "next").await.unwrap();
            assert_eq!(world.value("a").await.unwrap(), "next");
        } else {
            world.proxy.release(held);
            while world.value("a").await.unwrap() != "held" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_frozen_server_says_nothing_and_goes_on_when_thawed() {
    let world = World::new().await;
    world.create("a").await;
    let mut events = world.watch().await;
    world.proxy.freeze();
    world.write(&world.direct, "a", "unseen").await.unwrap();
    let asking = {
        let through = world.through.clone();
        tokio::spawn(async move { through.get("a").await })
    };
    // A connection made now gets no answer either, not even to its handshake.
    let fresh = client(world.plane, &world.proxy).await;
    let version = tokio::spawn(async move { fresh.apiserver_version().await });
    assert!(tokio::time::timeout(Duration::from_millis(500), events.next()).await.is_err());
    assert!(!asking.is_finished() && !version.is_finished());
    world.proxy.thaw();
    assert_eq!(next(&mut events).await, "MODIFIED a unseen");
    assert_eq!(asking.await.unwrap().unwrap().name_any(), "a");
    version.await.unwrap().unwrap();
}

#[tokio::test]
async fn reads_from_the_past_show_what_was_there_then() {
    let world = World::new().await;
    let old = world.create("old").await;
    let path = format!("/api/v1/namespaces/{}/configmaps", world.namespace);
    let then = world.proxy.remember(&path).await.unwrap();
    world.write(&world.direct, "old", "changed").await.unwrap();
    world.create("new").await;
    let stale = world.proxy.fault(maps(), Fault::Stale(then));
    let seen = world.through.list(&ListParams::default()).await.unwrap();
    let names: Vec<String> = seen.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["old"]);
    assert_eq!(seen.items[0].resource_version(), old.resource_version());
    assert_eq!(world.through.get("old").await.unwrap().resource_version(), old.resource_version());
    // What was not there then is read as it is, and writes are never from the past.
    assert_eq!(world.through.get("new").await.unwrap().name_any(), "new");
    world.write(&world.through, "old", "again").await.unwrap();
    world.proxy.release(stale);
    assert_eq!(world.through.list(&ListParams::default()).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_watch_can_be_cut_expired_or_silenced() {
    let world = World::new().await;
    let mut events = world.watch().await;
    world.create("a").await;
    assert_eq!(next(&mut events).await, "ADDED a");
    assert_eq!(world.proxy.cut_watches(&watches()), 1);
    // To kube, an answer that breaks off is one that ends.
    assert_eq!(next(&mut events).await, "END");

    let mut events = world.watch().await;
    assert_eq!(world.proxy.expire_watches(&watches()), 1);
    assert_eq!(next(&mut events).await, "ERROR 410");
    assert_eq!(next(&mut events).await, "END");
    world.proxy.fault(watches().times(1), Fault::Answer(410));
    let refused = world.through.watch(&WatchParams::default(), "1").await.map(drop).unwrap_err();
    assert_eq!(code(refused), 410);

    let mut silent = world.watch().await;
    assert_eq!(world.proxy.silence_watches(&watches()), 1);
    let mut other = world.watch().await;
    world.create("b").await;
    assert_eq!(next(&mut other).await, "ADDED b");
    assert!(tokio::time::timeout(Duration::from_millis(500), silent.next()).await.is_err());
}

#[tokio::test]
async fn events_can_be_held_in_order_and_nothing_overtakes_them() {
    let world = World::new().await;
    let mut events = world.watch().await;
    let held = world.proxy.events(Events::of(watches()).name("b").times(1), EventFault::Hold);
    for name in ["a", "b", "c"] {
        world.create(name).await;
    }
    assert_eq!(next(&mut events).await, "ADDED a");
    assert!(tokio::time::timeout(Duration::from_millis(500), events.next()).await.is_err());
    world.proxy.release(held);
    assert_eq!([next(&mut events).await, next(&mut events).await], ["ADDED b", "ADDED c"]);
}

#[tokio::test]
async fn events_can_be_lost_doubled_or_late() {
    let world = World::new().await;
    let mut events = world.watch().await;
    let of = |name: &str| Events::of(watches()).name(name);
    world.proxy.events(of("lost"), EventFault::Drop);
    world.proxy.events(of("double"), EventFault::Duplicate);
    let first = world.create("late").await;
    assert_eq!(next(&mut events).await, "ADDED late");
    let late = world.proxy.events(of("late").kind("DELETED").uid(&first.uid().unwrap()), EventFault::Late);
    world.direct.delete("late", &DeleteParams::default()).await.unwrap();
    for name in ["lost", "double", "late"] {
        world.create(name).await;
    }
    let seen = [next(&mut events).await, next(&mut events).await, next(&mut events).await];
    assert_eq!(seen, ["ADDED double", "ADDED double", "ADDED late"]);
    world.proxy.release(late);
    assert_eq!(next(&mut events).await, "DELETED late");
    let changed = Events::of(watches()).object_where(|map| map["data"]["key"] == "secret");
    world.proxy.events(changed, EventFault::Drop);
    world.write(&world.direct, "late", "secret").await.unwrap();
    world.write(&world.direct, "late", "open").await.unwrap();
    assert_eq!(next(&mut events).await, "MODIFIED late open");
}

#[tokio::test]
async fn it_tells_which_calls_came_by() {
    let world = World::new().await;
    let _events = world.watch().await;
    while world.proxy.open_watches(&watches()) != 1 {}
    let calls = world.proxy.calls();
    let last = calls.last().unwrap();
    assert_eq!((last.verb, last.resource.as_str()), (Verb::Watch, "configmaps"));
    assert_eq!(last.namespace.as_ref(), Some(&world.namespace));
}
