//! Setting everything up, and taking it down in order: clients, probes, lanes from the objects' status, one controller for each
//! watched namespace, signals.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{StreamExt, TryStreamExt, future};
use kube::api::ListParams;
use kube::runtime::controller::{Config as ControllerConfig, Error as ControllerError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::context::{Context, Guarded, Stop};
use super::reconcile::reconcile;
use crate::config::Config;
use crate::konnect::HttpClient;
use crate::replay::{Candidate, Memory, holds_turn};
use crate::server::{self, Readiness};

/// Objects per page of the list at start.
const PAGE: u32 = 500;
/// Spacing of tries to list at start.
const LIST_RETRY: Duration = Duration::from_secs(2);

/// Why the operator could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No cluster to speak to.
    #[error("no Kubernetes cluster: set KUBECONFIG, or run in a pod with a service account")]
    NoCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client refused its settings.
    #[error("--ca-bundle: {0}")]
    Konnect(#[from] crate::konnect::http::SetupError),
    /// The address of the probes is taken or not ours.
    #[error("--listen: cannot bind {0}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// Whether a setting is to blame, and not the world.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Konnect(_) | Self::Listen(..) => true,
            Self::NoCluster(_) | Self::Signals(_) => false,
        }
    }
}

/// Runs the operator until SIGTERM or SIGINT. A second signal ends the process at once.
pub async fn run(config: Config) -> Result<(), RunError> {
    let (say_stop, stop) = Stop::channel();
    stop_on_signals(say_stop)?;
    let client = kube_client().await?;
    let konnect = HttpClient::new(config.policy.request_timeout, config.ca_bundle.as_deref())?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| RunError::Listen(config.listen, e))?;
    announce(&config, &listener);

    let scopes = scopes(&config.watch_namespaces);
    let readiness = Readiness::waiting_for(scopes.len());
    let probes = tokio::spawn({
        let (readiness, stop) = (readiness.clone(), stop.clone());
        server::serve(listener, readiness, async move { stop.requested().await })
    });

    let (wakers, woken): (HashMap<_, _>, Vec<_>) = scopes
        .iter()
        .map(|scope| {
            let (waker, woken) = unbounded();
            ((scope.clone(), waker), (scope.clone(), woken))
        })
        .unzip();
    let ctx = Arc::new(Context::new(client, konnect, config, wakers, stop.clone()));
    tokio::select! {
        () = reserve_lanes(&ctx, &scopes) => {
            let controllers = woken.into_iter().map(|(scope, woken)| watch_scope(scope, woken, Arc::clone(&ctx), readiness.clone()));
            future::join_all(controllers).await;
        }
        () = stop.requested() => {}
    }
    if let Ok(Err(error)) = probes.await {
        warn!(%error, "the probes' server ended badly");
    }
    info!("stopped");
    Ok(())
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

async fn kube_client() -> Result<Client, RunError> {
    let fail = |e: Box<dyn std::error::Error + Send + Sync>| RunError::NoCluster(e);
    let mut config = kube::Config::infer().await.map_err(|e| fail(e.into()))?;
    // Retries are ours, visible and bounded.
    config.default_retry = false;
    Client::try_from(config).map_err(|e| fail(e.into()))
}

/// One scope per watched namespace; `None` is all of them.
fn scopes(namespaces: &[String]) -> Vec<Option<String>> {
    if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() }
}

fn api(client: &Client, scope: Option<&String>) -> Api<Guarded> {
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Reserves lane and target of every submission that may be under way, before anybody else can take them.
async fn reserve_lanes(ctx: &Context, scopes: &[Option<String>]) {
    for scope in scopes {
        while let Err(error) = reserve_scope(ctx, scope.as_ref()).await {
            warn!(%error, "cannot list AuditLogReplayJobs; is the CRD installed, and may this account list them?");
            tokio::time::sleep(LIST_RETRY).await;
        }
    }
}

async fn reserve_scope(ctx: &Context, scope: Option<&String>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let api = api(&ctx.client, scope);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = tokio::time::timeout(ctx.config.policy.request_timeout, api.list(&params)).await??;
        let jobs = page.items.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        for job in jobs.filter(|job| holds_turn(job, &Memory::default(), None)) {
            if let Some(candidate) = Candidate::of(job, &ctx.config.policy) {
                ctx.lanes().hold(&candidate);
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(()),
        }
    }
}

/// Watches one scope until told to stop, then lets running passes end.
async fn watch_scope(
    scope: Option<String>,
    woken: UnboundedReceiver<ObjectRef<Guarded>>,
    ctx: Arc<Context>,
    readiness: Readiness,
) {
    let (reader, writer) = reflector::store();
    let mut readiness = Some(readiness);
    let stream = watcher(api(&ctx.client, scope.as_ref()), watcher::Config::default())
        .default_backoff()
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone)
                && let Some(readiness) = readiness.take()
            {
                readiness.mark();
                info!("ready");
            }
        })
        .modify(|object: &mut Guarded| object.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects();
    let stop = ctx.stop.clone();
    Controller::for_stream(stream, reader)
        .with_config(ControllerConfig::default().concurrency(ctx.config.concurrency))
        .reconcile_on(woken)
        .graceful_shutdown_on(async move { stop.requested().await })
        .run(reconcile, |_, error, _| match *error {}, Arc::clone(&ctx))
        .for_each(|result| {
            note(&ctx, result);
            future::ready(())
        })
        .await;
}

/// What the controller itself has to say: objects that are gone, and trouble with the watch.
fn note<T>(ctx: &Context, result: Result<T, ControllerError<std::convert::Infallible, watcher::Error>>) {
    match result {
        Ok(_) => {}
        Err(ControllerError::ObjectNotFound(object)) => {
            ctx.forget(object.namespace.as_deref().unwrap_or_default(), &object.name);
        }
        Err(error) => warn!(%error, "the watch was interrupted and goes on"),
    }
}
