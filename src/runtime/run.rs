//! Setting everything up, and taking it down in order: clients, probes, the election, signals. What a kind does while this process leads
//! is in its [`KindController::work`](super::controller::KindController::work).

use std::sync::Arc;
use std::time::Duration;

use futures::future;
use kube::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

use super::clock::Stopwatch;
use super::controller::Kinds;
use super::konnect::Calls;
use super::leader::{self, Departure, Leadership, Succession, Term};
use super::scopes::Scopes;
use super::server::{self, Pages, Readiness};
use super::shared::Shared;
use super::stop::Stop;
use super::{crds, events};
use crate::config::{Config, Lease};
use crate::konnect_http::{HttpClient, SetupError};
use crate::metrics::Metrics;
use crate::telemetry::Verbosity;
use konnect_replay_kubeconfig as kubeconfig;

/// Where a pod finds the name of its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Why the operator could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// No cluster to speak to.
    #[error("no Kubernetes cluster: set KUBECONFIG, or run in a pod with a service account")]
    NoCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no HTTP client to call Konnect with.
    #[error(transparent)]
    Konnect(#[from] SetupError),
    /// The address of the probes is taken or not ours.
    #[error("--listen: cannot bind {0}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    /// Another replica leads now, or may. All work was dropped; a new process begins afresh.
    #[error("the lease was lost, so another replica may work now: this process ends and is to be started again")]
    LeaseLost,
}

impl RunError {
    /// Whether a setting is to blame, and not the world.
    pub(crate) fn is_setting(&self) -> bool {
        match self {
            Self::Konnect(SetupError::Bundle(_)) | Self::Listen(..) => true,
            Self::Konnect(SetupError::Client(_)) | Self::NoCluster(_) | Self::Signals(_) | Self::LeaseLost => false,
        }
    }
}

/// Runs the operator for these kinds of object until SIGTERM or SIGINT. A second signal ends the process at once.
pub(crate) async fn run(config: Config, metrics: Metrics, verbosity: Verbosity, kinds: Kinds) -> Result<(), RunError> {
    let (say_stop, stop) = Stop::channel();
    stop_on_signals(say_stop)?;
    tokio::spawn(verbosity.follow_signals());
    let (cluster, namespace) = cluster()?;
    let client = connect(&cluster, config.policy.request_timeout, config.call_silence())?;
    let konnect = HttpClient::new(config.policy.request_timeout, config.ca_bundle.as_deref())?;
    let listener = server::listen(config.listen).map_err(|e| RunError::Listen(config.listen, e))?;
    announce(&config, &listener);

    let readiness = Readiness::default();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.plural()).collect();
    let pages = Pages::new(readiness.clone(), &names, metrics.clone());
    let probes = tokio::spawn({
        let stop = stop.clone();
        async move { server::serve(listener, pages, stop.requested()).await }
    });
    tokio::spawn(crds::look(client.clone(), kinds, Scopes::of(&config, kinds.len()), readiness.clone()));

    let lease = config.lease.clone();
    let process = Process { client, konnect, config, metrics, readiness, stop: stop.clone(), kinds };
    let outcome = match lease {
        None => {
            process.work(Succession::InOrder).await;
            Ok(())
        }
        Some(lease) => {
            // Impatient: a call that hangs must leave time for another before the lease runs out.
            let client = connect(&cluster, leader::CALL, leader::CALL)?;
            let work = |succession| process.work(succession);
            Box::pin(lead(&client, (&lease, &namespace), &stop, work)).await
        }
    };
    if outcome.is_ok()
        && let Err(error) = probes.await
    {
        warn!(%error, "the probes' server ended badly");
    }
    info!("stopped");
    outcome
}

/// What this process has, whether it leads or stands by.
struct Process {
    client: Client,
    konnect: HttpClient,
    config: Config,
    metrics: Metrics,
    readiness: Readiness,
    stop: Stop,
    kinds: Kinds,
}

impl Process {
    /// Works for one term: every kind until it has ended, then the last Events.
    async fn work(self, succession: Succession) -> Departure {
        let (publisher, publishing) = events::start(self.client.clone());
        let kinds = self.kinds;
        let shared = Arc::new(self.lead(publisher));
        let departures = future::join_all(kinds.iter().map(|kind| kind.work(Arc::clone(&shared), succession))).await;
        publishing.finish().await;
        if departures.contains(&Departure::Unsettled) { Departure::Unsettled } else { Departure::Settled }
    }

    /// What the passes of this term share.
    fn lead(self, events: events::Publisher) -> Shared {
        let (scopes, stopwatch) = (Scopes::of(&self.config, self.kinds.len()), Stopwatch::start());
        self.readiness.leading(scopes.watches());
        Shared {
            client: self.client,
            konnect: self.konnect,
            calls: Calls::new(self.config.concurrency, stopwatch),
            workers: Semaphore::new(self.config.concurrency.into()),
            config: self.config,
            metrics: self.metrics,
            readiness: self.readiness,
            stop: self.stop,
            scopes,
            events,
            stopwatch,
        }
    }
}

/// Works under the lease. A standby that has to stop has nothing to finish.
async fn lead(
    client: &Client,
    (lease, own_namespace): (&Lease, &str),
    stop: &Stop,
    work: impl AsyncFnOnce(Succession) -> Departure,
) -> Result<(), RunError> {
    let namespace = lease.namespace.as_deref().unwrap_or(own_namespace);
    let leadership = Leadership::new(client, namespace, &lease.name, &identity());
    match leadership.lead(stop.requested(), work).await {
        Term::NotBegun | Term::Ended(_) => Ok(()),
        Term::Lost => Err(RunError::LeaseLost),
    }
}

/// The pod's name and a random part: no two processes are ever one.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    format!("{}_{}", host.as_deref().unwrap_or("konnect-replay"), uuid::Uuid::new_v4())
}

fn announce(config: &Config, listener: &TcpListener) {
    let listen = listener.local_addr().unwrap_or(config.listen);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        %listen,
        konnect_url = %config.policy.konnect_url,
        regions = config.policy.regions.join(","),
        namespaces = if config.watch_namespaces.is_empty() { "all".to_owned() } else { config.watch_namespaces.join(",") },
        "starting"
    );
    if config.policy.konnect_url.is_plain_http() {
        warn!("--konnect-url is plain http: tokens travel in the clear; for trials only");
    }
}

/// A first signal says stop; a second does not wait any longer.
fn stop_on_signals(say_stop: watch::Sender<bool>) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () };
        next().await;
        info!("stopping: no new work is begun");
        say_stop.send_replace(true);
        next().await;
        std::process::exit(1);
    });
    Ok(())
}

/// How to reach the cluster, and the namespace we are in.
fn cluster() -> Result<(kube::Config, String), RunError> {
    let mut config = kubeconfig::load(&kubeconfig::Choice::default()).map_err(|e| RunError::NoCluster(e.into()))?;
    // Retries are ours, visible and bounded.
    config.default_retry = false;
    let namespace = std::fs::read_to_string(NAMESPACE_FILE).unwrap_or_else(|_| config.default_namespace.clone());
    Ok((config, namespace.trim().to_owned()))
}

/// A client that gives up a connection which is not made within `connect`, or on which nothing arrives for `silence` after it was
/// asked something. kube's own default is to wait for ever, and neither the list that begins a watch nor a lease call has another
/// limit: after a server that froze, or vanished without a word, they would never be tried again.
fn connect(cluster: &kube::Config, connect: Duration, silence: Duration) -> Result<Client, RunError> {
    let mut config = cluster.clone();
    config.connect_timeout = Some(connect);
    config.read_timeout = Some(silence);
    config.reset_reader_on_write = true;
    Client::try_from(config).map_err(|e| RunError::NoCluster(e.into()))
}
