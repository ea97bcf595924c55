//! The load: an emulated Konnect with as many organisations as lanes are wanted, objects, and a watch that says when they showed what.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use konnect_emulator::{Call, Emulator, Options, TargetKey, Timings, Webhook};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobSpec, ConditionStatus, ConditionType, KonnectApiVersion, Scope, SecretKeyRef,
    Target, WindowSpec,
};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::stage::Stage;

/// How many calls to the apiserver are under way at once.
const AT_ONCE: usize = 32;
/// The region of everything.
pub const REGION: &str = "eu";
/// How long is waited for what must come.
const PATIENCE: Duration = Duration::from_mins(30);
/// What `kubectl apply` leaves in each object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An emulated Konnect. Each lane is an organisation of its own with one portal.
pub struct Konnect {
    pub emulator: Emulator,
    pub portals: Vec<TargetKey>,
}

impl Konnect {
    pub async fn with_lanes(lanes: usize, pace: Duration) -> Self {
        let options = Options { timings: Timings::all(pace), ..Options::default() };
        let emulator = Emulator::start(options).await.unwrap();
        let portals = (0..lanes)
            .map(|lane| {
                let org = format!("org-{lane}");
                emulator.add_organization(&org, &token(lane)).unwrap();
                let portal = emulator.add_portal(&org, REGION, &portal_id(lane)).unwrap();
                // Nothing is lost in these windows, so nothing is delivered.
                emulator.set_webhook(&portal, Webhook::new("http://127.0.0.1:9/")).unwrap();
                portal
            })
            .collect();
        Self { emulator, portals }
    }

    /// Requests for a replay, oldest first.
    pub fn puts(&self) -> Vec<Call> {
        self.emulator.calls().into_iter().filter(|call| call.method == "PUT").collect()
    }

    /// When the first request of this lane came, or the one after `skip` others.
    pub async fn put(&self, lane: usize, skip: usize) -> DateTime<Utc> {
        let id = portal_id(lane);
        let found = |_: &Emulator| {
            let calls = self.puts();
            calls.iter().filter(|call| call.path.contains(&id)).nth(skip).map(|call| call.at)
        };
        self.emulator.wait_for(PATIENCE, found).await.unwrap()
    }
}

pub fn token(lane: usize) -> String {
    format!("kpat_of-lane-{lane}")
}

pub fn portal_id(lane: usize) -> String {
    format!("00000000-0000-4000-8000-{lane:012}")
}

/// The `place`th object of a lane: the order of places is that of the windows. Of ten thousand, none comes near its expiry, of which the
/// operator would speak.
pub fn job(name: &str, lane: usize, place: usize) -> AuditLogReplayJob {
    let start =
        Utc::now().trunc_subsecs(0) - TimeDelta::hours(100) + TimeDelta::seconds(10) * i32::try_from(place).unwrap();
    let target = Target {
        region: REGION.to_owned(),
        scope: Scope::Portal,
        portal_id: Some(portal_id(lane)),
        konnect_api_version: KonnectApiVersion::default(),
    };
    let secret = SecretKeyRef { name: format!("token-{lane}"), key: "token".to_owned() };
    let spec = AuditLogReplayJobSpec::new(target, WindowSpec::new(start, start + TimeDelta::hours(1)), secret);
    let mut job = AuditLogReplayJob::new(name, spec);
    let applied = format!("{}\n", serde_json::to_string(&job).unwrap());
    job.metadata.annotations = Some(BTreeMap::from([(LAST_APPLIED.to_owned(), applied)]));
    job
}

/// A namespace with its objects.
pub struct Field {
    pub name: String,
    pub jobs: Api<AuditLogReplayJob>,
    client: Client,
}

impl Field {
    /// A new namespace with the tokens of these lanes.
    pub async fn new(stage: &Stage, name: &str, lanes: usize) -> Self {
        stage.plane.create_namespace(name).await.unwrap();
        let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), name);
        stream::iter(0..lanes)
            .map(|lane| {
                let secret = Secret {
                    metadata: ObjectMeta { name: Some(format!("token-{lane}")), ..ObjectMeta::default() },
                    data: Some(BTreeMap::from([("token".to_owned(), ByteString(token(lane).into_bytes()))])),
                    ..Secret::default()
                };
                let secrets = secrets.clone();
                async move { secrets.create(&PostParams::default(), &secret).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| futures::future::ok(()))
            .await
            .unwrap();
        let jobs = Api::namespaced(stage.client.clone(), name);
        Self { name: name.to_owned(), jobs, client: stage.client.clone() }
    }

    pub async fn create(&self, job: &AuditLogReplayJob) {
        self.jobs.create(&PostParams::default(), job).await.unwrap();
    }

    /// Creates all, as fast as the apiserver takes them, and in this order but for those under way at once.
    pub async fn create_all(&self, jobs: impl Iterator<Item = AuditLogReplayJob>) {
        let created = stream::iter(jobs).map(|job| async move { self.create(&job).await });
        created.buffer_unordered(AT_ONCE).for_each(|()| futures::future::ready(())).await;
    }

    /// Creates objects `from..to` and gives each this status: as if they had been finished long ago.
    pub async fn create_finished(&self, from: usize, to: usize, status: &Value) {
        let created = stream::iter(from..to).map(|place| async move {
            let name = format!("siem-outage-{place:06}");
            self.create(&job(&name, 0, place % 40_000)).await;
            let patch = Patch::Merge(json!({ "status": status }));
            self.jobs.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
        });
        created.buffer_unordered(AT_ONCE).for_each(|()| futures::future::ready(())).await;
    }

    pub async fn watch(&self) -> Sight {
        Sight::open(&self.client, &self.name).await
    }
}

/// The status of a job that the operator itself has brought to its end.
pub async fn finished_status(stage: &Stage) -> Value {
    let jobs: Api<AuditLogReplayJob> = Api::namespaced(stage.client.clone(), "template");
    let done = match jobs.get_opt("template").await.unwrap() {
        Some(done) => done,
        None => finish_one(stage).await,
    };
    serde_json::to_value(done.status).unwrap()
}

async fn finish_one(stage: &Stage) -> AuditLogReplayJob {
    let konnect = Konnect::with_lanes(1, Duration::from_millis(100)).await;
    let field = Field::new(stage, "template", 1).await;
    let _operator = stage.operator("template", &konnect).start().ready().await;
    let sight = field.watch().await;
    field.create(&job("template", 0, 0)).await;
    sight.complete(1).await;
    field.jobs.get("template").await.unwrap()
}

/// When what was first seen of each object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// A reason that a person can read.
    pub reason: Option<DateTime<Utc>>,
    /// The end.
    pub complete: Option<DateTime<Utc>>,
}

/// A watch on a namespace.
pub struct Sight {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    task: JoinHandle<()>,
}

impl Sight {
    async fn open(client: &Client, namespace: &str) -> Self {
        let seen: Arc<Mutex<HashMap<String, Seen>>> = Arc::default();
        let jobs: Api<AuditLogReplayJob> = Api::namespaced(client.clone(), namespace);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let task = tokio::spawn({
            let (seen, mut ready) = (Arc::clone(&seen), Some(ready));
            async move {
                let events = watcher(jobs, watcher::Config::default()).default_backoff();
                let _ = events
                    .try_for_each(|event| {
                        match event {
                            watcher::Event::Apply(job) | watcher::Event::InitApply(job) => note(&seen, &job),
                            watcher::Event::InitDone => drop(ready.take().map(|ready| ready.send(()))),
                            watcher::Event::Init | watcher::Event::Delete(_) => {}
                        }
                        futures::future::ok(())
                    })
                    .await;
            }
        });
        is_ready.await.unwrap();
        Self { seen, task }
    }

    pub fn of(&self, name: &str) -> Seen {
        self.seen.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Waits until so many have shown a reason.
    pub async fn reasons(&self, n: usize) {
        self.until(n, |seen| seen.reason.is_some()).await;
    }

    /// Waits until so many are Complete.
    pub async fn complete(&self, n: usize) {
        self.until(n, |seen| seen.complete.is_some()).await;
    }

    async fn until(&self, n: usize, fits: impl Fn(&Seen) -> bool) {
        let look = async {
            while self.seen.lock().unwrap().values().filter(|seen| fits(seen)).count() < n {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{n} objects never came so far"));
    }

    /// Waits for one.
    pub async fn wait(&self, name: &str, what: impl Fn(&Seen) -> Option<DateTime<Utc>>) -> DateTime<Utc> {
        let look = async {
            loop {
                if let Some(at) = what(&self.of(name)) {
                    return at;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{name} never came so far"))
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(seen: &Mutex<HashMap<String, Seen>>, job: &AuditLogReplayJob) {
    let is_true = |type_: &ConditionType| {
        job.status.iter().flat_map(|s| &s.conditions).any(|c| c.type_ == *type_ && c.status == ConditionStatus::True)
    };
    let says = job.status.iter().flat_map(|s| &s.conditions).any(|c| c.type_ == ConditionType::Ready);
    let mut seen = seen.lock().unwrap();
    let of = seen.entry(job.name_any()).or_default();
    of.reason = of.reason.or_else(|| says.then(Utc::now));
    of.complete = of.complete.or_else(|| is_true(&ConditionType::Complete).then(Utc::now));
}

/// From one wall-clock time to another; nothing if the second was seen first.
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}
