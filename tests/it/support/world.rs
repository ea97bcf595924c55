//! One test's world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use control_plane::proxy::FaultProxy;
use control_plane::{AuditMark, AuditQuery, ControlPlane};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Event, Secret};
use konnect_emulator::{Emulator, Options, Receiver, ReceiverOptions, TargetKey, Timings, Webhook};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::job::is_true;
use super::{Clock, History, JobBuilder, Operator, PATIENCE, Unread, cluster, ready_reason, shows_a_token};

/// The token that works.
pub const TOKEN: &str = "kpat_canary-of-the-tests";
/// The only organisation.
const ORG: &str = "acme";
/// A Dev Portal in `eu`.
pub const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// How a world is to be.
#[allow(clippy::struct_excessive_bools)] // each is a choice of its own
pub struct WorldBuilder {
    flags: Vec<String>,
    log_filter: Option<String>,
    emulator: Options,
    webhook: bool,
    operator: bool,
    proxy: bool,
    own_plane: bool,
}

impl WorldBuilder {
    /// How long runs stay in each state.
    pub fn pace(self, each: Duration) -> Self {
        self.emulator(|options| options.timings = Timings::all(each))
    }

    /// One more flag of the operator, `--name=value`, in place of an earlier one of that name.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// What the operator logs, in the words of `RUST_LOG`.
    pub fn logging(mut self, filter: &str) -> Self {
        self.log_filter = Some(filter.to_owned());
        self
    }

    pub fn emulator(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.emulator);
        self
    }

    pub fn without_webhook(mut self) -> Self {
        self.webhook = false;
        self
    }

    /// The test starts the operator itself.
    pub fn without_operator(mut self) -> Self {
        self.operator = false;
        self
    }

    /// A fault proxy stands between the operators and the API server; the test itself goes past it.
    pub fn through_proxy(mut self) -> Self {
        self.proxy = true;
        self
    }

    /// An API server of this world's own, for tests that would disturb the others.
    pub fn on_its_own_api_server(mut self) -> Self {
        self.own_plane = true;
        self
    }

    pub async fn build(self) -> World {
        let (plane, direct) = if self.own_plane { cluster::own().await } else { cluster::installed().await };
        let (proxy, kubeconfig) = if self.proxy { proxied(plane, &direct).await } else { (None, direct) };
        let born = plane.audit_mark().unwrap();
        let namespace = format!("it-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        plane.create_namespace(&namespace).await.unwrap();
        let client = plane.admin_client().unwrap();
        let emulator = Emulator::start(self.emulator).await.unwrap();
        emulator.add_organization(ORG, TOKEN).unwrap();
        let portal = emulator.add_portal(ORG, "eu", PORTAL).unwrap();
        let options = ReceiverOptions { jwks: Some(emulator.jwks()), ..ReceiverOptions::default() };
        let receiver = Receiver::start(options).await.unwrap();
        let history = History::start(client.clone(), &namespace).await;
        let mut world = World {
            plane,
            proxy,
            kubeconfig,
            namespace,
            client,
            emulator,
            receiver,
            history,
            portal,
            flags: self.flags,
            log_filter: self.log_filter,
            operator: None,
            born,
        };
        if self.webhook {
            world.enable_webhook();
        }
        world.create_token("konnect-token", "token", TOKEN.as_bytes()).await;
        if self.operator {
            world.operator = Some(world.start_operator(&[]).await);
        }
        world
    }
}

/// One test's world.
pub struct World {
    pub operator: Option<Operator>,
    pub plane: &'static ControlPlane,
    proxy: Option<FaultProxy>,
    pub kubeconfig: PathBuf,
    pub namespace: String,
    pub client: Client,
    pub emulator: Emulator,
    pub receiver: Receiver,
    pub history: History,
    pub portal: TargetKey,
    flags: Vec<String>,
    log_filter: Option<String>,
    born: AuditMark,
}

impl World {
    /// An operator whose intervals are short, and a Konnect whose runs take a moment in each state.
    pub fn builder() -> WorldBuilder {
        let flags = [
            "--poll-interval=300ms",
            "--retry-interval=500ms",
            "--request-timeout=3s",
            "--get-lag=100ms",
            "--ingest-delay=1s",
            "--listen=127.0.0.1:0",
            "--leader-elect=false",
        ];
        let emulator =
            Options { timings: Timings::all(Duration::from_millis(150)), retry_scale: 0.001, ..Options::default() };
        let flags = flags.map(str::to_owned).to_vec();
        WorldBuilder {
            flags,
            log_filter: None,
            emulator,
            webhook: true,
            operator: true,
            proxy: false,
            own_plane: false,
        }
    }

    pub async fn new() -> Self {
        Self::builder().build().await
    }

    /// Starts another operator on this namespace.
    pub async fn start_operator(&self, more: &[&str]) -> Operator {
        let flags = self.flags_with(more);
        let operator = match &self.log_filter {
            None => Operator::start(&self.kubeconfig, &flags),
            Some(filter) => Operator::start_logging(&self.kubeconfig, &flags, filter),
        };
        operator.ready().await
    }

    /// Starts an operator on this namespace that goes by a clock of the test's.
    pub async fn start_by_clock(&self, more: &[&str], clock: &Clock) -> Operator {
        Operator::start_by_clock(&self.kubeconfig, &self.flags_with(more), clock).ready().await
    }

    /// Starts an operator that takes part in the election of this world. It may have to stand by.
    pub fn start_replica(&self) -> Operator {
        let lease = format!("--lease-name={}", self.namespace);
        let flags = self.flags_with(&["--leader-elect=true", "--lease-namespace=konnect-replay", &lease]);
        Operator::start(&self.kubeconfig, &flags)
    }

    /// Starts an operator on this namespace that logs what it logs where nobody has set anything.
    pub async fn start_with_default_log(&self) -> Operator {
        Operator::start_with_default_log(&self.kubeconfig, &self.flags_with(&[])).ready().await
    }

    /// Starts an operator on this namespace whose log nobody reads.
    pub fn start_unread(&self) -> Unread {
        Unread::start(&self.kubeconfig, &self.flags_with(&[]))
    }

    fn flags_with(&self, more: &[&str]) -> Vec<String> {
        let mut flags = vec![
            format!("--watch-namespaces={}", self.namespace),
            format!("--konnect-url={}", self.emulator.url_template()),
        ];
        flags.extend(self.flags.iter().cloned());
        flags.extend(more.iter().map(|f| (*f).to_owned()));
        last_of_each_name(flags)
    }

    pub fn operator(&mut self) -> &mut Operator {
        self.operator.as_mut().unwrap()
    }

    /// What stands between the operators and the API server.
    pub fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("this world was built without a proxy")
    }

    pub fn enable_webhook(&self) {
        self.emulator.set_webhook(&self.portal, Webhook::new(self.receiver.url())).unwrap();
    }

    /// Another Dev Portal of the same organisation, with the same webhook receiver.
    pub fn add_portal(&self, region: &str, id: &str) -> TargetKey {
        let portal = self.emulator.add_portal(ORG, region, id).unwrap();
        self.emulator.set_webhook(&portal, Webhook::new(self.receiver.url())).unwrap();
        portal
    }

    /// The organisation's own log in the region of the portal.
    pub fn organization(&self) -> TargetKey {
        TargetKey::organization(ORG, &self.portal.region)
    }

    /// A job on the portal of this world.
    pub fn job(&self, name: &str) -> JobBuilder {
        JobBuilder::portal(name, &self.portal.region, PORTAL)
    }

    pub fn jobs(&self) -> Api<AuditLogReplayJob> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn create(&self, job: JobBuilder) -> AuditLogReplayJob {
        self.jobs().create(&PostParams::default(), &job.build()).await.unwrap()
    }

    pub async fn get(&self, name: &str) -> AuditLogReplayJob {
        self.jobs().get(name).await.unwrap()
    }

    /// Patches the spec of an object, as a user would.
    pub async fn patch(&self, name: &str, patch: Value) {
        self.jobs().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn suspend(&self, name: &str, suspend: bool) {
        self.patch(name, json!({ "spec": { "suspend": suspend } })).await;
    }

    /// Deletes an object, and sees that it is gone at once.
    pub async fn delete(&self, name: &str) {
        self.jobs().delete(name, &DeleteParams::default()).await.unwrap();
        assert!(self.jobs().get_opt(name).await.unwrap().is_none(), "something holds up the deletion of {name}");
    }

    /// Creates or replaces a Secret with one key.
    pub async fn create_token(&self, name: &str, key: &str, value: &[u8]) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(key.to_owned(), ByteString(value.to_vec()))])),
            ..Secret::default()
        };
        let params = PatchParams::apply("tests").force();
        secrets.patch(name, &params, &Patch::Apply(&secret)).await.unwrap();
    }

    /// Waits until some version of the object fits.
    pub async fn wait(&self, name: &str, what: &str, fits: impl Fn(&AuditLogReplayJob) -> bool) -> AuditLogReplayJob {
        let found = self.history.wait(name, PATIENCE, fits).await;
        found.unwrap_or_else(|| panic!("{name} was never {what}; its states were {:#?}", self.states(name)))
    }

    /// Waits until the newest version of the object fits.
    pub async fn wait_now(
        &self,
        name: &str,
        what: &str,
        fits: impl Fn(&AuditLogReplayJob) -> bool,
    ) -> AuditLogReplayJob {
        let found = self.history.wait_now(name, PATIENCE, fits).await;
        found.unwrap_or_else(|| panic!("{name} is not {what}; its states were {:#?}", self.states(name)))
    }

    pub async fn wait_for_reason(&self, name: &str, reason: &str) -> AuditLogReplayJob {
        self.wait(name, reason, |job| ready_reason(job) == reason).await
    }

    pub async fn wait_until_complete(&self, name: &str) -> AuditLogReplayJob {
        let job = self.wait(name, "Finished", |job| is_true(job, &ConditionType::Finished)).await;
        assert!(is_true(&job, &ConditionType::Complete), "{name} failed: {:#?}", self.states(name));
        job
    }

    pub async fn wait_until_failed(&self, name: &str) -> AuditLogReplayJob {
        let job = self.wait(name, "Finished", |job| is_true(job, &ConditionType::Finished)).await;
        assert!(is_true(&job, &ConditionType::Failed), "{name} completed: {:#?}", self.states(name));
        job
    }

    /// The reasons that an object showed, in order, repetitions left out.
    pub fn reasons(&self, name: &str) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.history.of(name).iter().map(ready_reason).filter(|r| !r.is_empty()).collect();
        reasons.dedup();
        reasons
    }

    /// The reasons that an object showed, each with its message.
    pub fn states(&self, name: &str) -> Vec<String> {
        let state = |job: &AuditLogReplayJob| {
            let message = super::condition(job, &ConditionType::Ready).map(|c| c.message.clone()).unwrap_or_default();
            format!("{} {}: {message}", job.resource_version().unwrap_or_default(), ready_reason(job))
        };
        self.history.of(name).iter().map(state).collect()
    }

    /// What the API server was asked about this namespace.
    pub fn audit(&self) -> AuditQuery {
        self.plane.audit().since(self.born).namespace(&self.namespace)
    }

    /// The Events of this namespace.
    pub async fn events(&self) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        events.list(&ListParams::default()).await.unwrap().items
    }

    /// How many status writes the API server's audit log shows for an object. A watch can be ahead of that log, so it is read
    /// when it shows at least those writes that the watch has shown.
    pub async fn status_writes(&self, name: &str) -> usize {
        let writes =
            self.audit().verb("patch").resource("auditlogreplayjobs").subresource("status").name(name).code(200);
        let versions = self.history.of(name);
        let seen = versions.windows(2).filter(|pair| pair[0].status != pair[1].status).count();
        let waiting = async {
            while writes.count().unwrap() < seen {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
        writes.count().unwrap()
    }
}

impl Drop for World {
    /// At the end of every test: the token must show nowhere, and every request and every answer must be as documented. What the
    /// operator logs and answers is looked at when it is dropped.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let shown = self.history.all().iter().any(|job| shows_a_token(&serde_json::to_string(job).unwrap()));
            assert!(!shown, "the token stands in an object");
            let events = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.events()));
            let shown = events.iter().find(|event| shows_a_token(&serde_json::to_string(event).unwrap()));
            assert!(shown.is_none(), "the token stands in an Event: {shown:?}");
            assert_as_documented(&self.emulator);
        }
    }
}

/// Every request that Konnect got, and every answer that it gave, must be as documented.
pub fn assert_as_documented(emulator: &Emulator) {
    let violations = emulator.violations();
    assert!(violations.is_empty(), "openapi.yaml of the emulator does not allow this: {violations:#?}");
}

/// A proxy of one world's own, and the operator's kubeconfig to go through it.
async fn proxied(plane: &ControlPlane, direct: &Path) -> (Option<FaultProxy>, PathBuf) {
    let proxy = FaultProxy::start(plane).await.unwrap();
    let kubeconfig = plane.kubeconfig_via(direct, proxy.url()).unwrap();
    (Some(proxy), kubeconfig)
}

fn last_of_each_name(flags: Vec<String>) -> Vec<String> {
    let by_name = flags.into_iter().filter_map(|flag| Some((flag.split('=').next()?.to_owned(), flag)));
    by_name.collect::<BTreeMap<_, _>>().into_values().collect()
}
