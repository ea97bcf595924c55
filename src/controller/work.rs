//! What the one that leads does: one controller for each watched namespace, until told to stop. No pass begins before all objects
//! have been listed, and their lanes and targets are reserved or queued for. Built anew with each term, so that nothing of an earlier
//! one is believed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{StreamExt, TryStreamExt, future};
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::runtime::controller::{Config as ControllerConfig, Error as ControllerError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::arrivals::Arrivals;
use super::context::{Context, Guarded, Stop};
use super::reconcile::reconcile;
use super::slim::Whole;
use super::{events, wake};
use crate::api::AuditLogReplayJob;
use crate::config::Config;
use crate::evidence::{self, Telling};
use crate::konnect::HttpClient;
use crate::leader::{Departure, Succession};
use crate::metrics::Metrics;
use crate::replay::{End, end};
use crate::server::Readiness;

/// Objects per page of a list. What a page takes while it is read is what a list costs in memory.
const PAGE: u32 = 250;
/// The same where they are read whole, each of which takes ten times as much as otherwise.
const PAGE_OF_WHOLE: u32 = 50;
/// Spacing of tries to list at start.
const LIST_RETRY: Duration = Duration::from_secs(2);
/// Longest call that only looks whether something is there.
const LOOK: Duration = Duration::from_secs(10);

/// A failure to list, told to a person and nobody else.
type ListError = Box<dyn std::error::Error + Send + Sync>;

/// The namespaces to watch, each on its own; `None` is all of them.
#[derive(Clone, Debug)]
pub(super) struct Scopes(Vec<Option<String>>);

impl Scopes {
    pub(super) fn of(config: &Config) -> Self {
        let namespaces = &config.watch_namespaces;
        Self(if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() })
    }

    /// Whether the apiserver lets us list the objects of each.
    pub(super) async fn are_served(&self, client: &Client) -> Result<(), ListError> {
        for scope in &self.0 {
            let api = api::<Guarded>(client, scope.as_ref());
            tokio::time::timeout(LOOK, api.list(&ListParams::default().limit(1))).await??;
        }
        Ok(())
    }
}

/// Works until told to stop, then lets running passes end.
pub(super) async fn work(
    client: Client,
    konnect: HttpClient,
    config: Config,
    metrics: Metrics,
    readiness: &Readiness,
    stop: &Stop,
    succession: Succession,
) -> Departure {
    let scopes = Scopes::of(&config);
    readiness.leading(scopes.0.len());
    let (wakers, woken): (HashMap<_, _>, Vec<_>) = scopes
        .0
        .iter()
        .map(|scope| {
            let (waker, woken) = unbounded();
            ((scope.clone(), waker), (scope.clone(), woken))
        })
        .unzip();
    // Without a lease nobody can tell how the process before ended.
    let repeat_evidence = succession == Succession::Unclean || config.lease.is_none();
    let (publisher, publishing) = events::start(client.clone());
    let ctx = Arc::new(Context::new(client, konnect, config, wakers, stop.clone(), publisher, metrics));
    ctx.listed.expect(&scopes.0);
    show_metrics(&ctx, readiness);
    if succession == Succession::Unclean {
        info!("the leader before did not end in order: no request is begun until nothing of it can be on its way");
        ctx.scheduler().rest_until(ctx.clock().mono + ctx.config.policy.settle_time());
    }
    tokio::select! {
        () = repeat_the_last_records(&ctx, &scopes, repeat_evidence) => {
            let controllers = woken.into_iter().map(|(scope, woken)| watch_scope(scope, woken, Arc::clone(&ctx), readiness));
            tokio::select! {
                _ = future::join_all(controllers) => {}
                () = stopped_before_anything_began(&ctx) => {}
                never = wake::keep_waking(&ctx) => match never {},
            }
        }
        () = stop.requested() => {}
    }
    publishing.finish().await;
    ctx.departure()
}

/// Resolves when the word to stop finds objects not yet listed. A controller does not end while it waits for its list, which may be for
/// ever; and as no pass has begun, there is none to wait for.
async fn stopped_before_anything_began(ctx: &Context) {
    ctx.stop.requested().await;
    if ctx.listed.is_complete_now() {
        future::pending::<()>().await;
    }
}

/// The metrics show the objects as soon as all have been seen.
fn show_metrics(ctx: &Context, readiness: &Readiness) {
    let (stores, readiness) = (ctx.stores.clone(), readiness.clone());
    ctx.metrics.leading(Box::new(move |visitor| {
        let complete = readiness.is_ready();
        if complete {
            stores.visit(visitor);
        }
        complete
    }));
}

fn api<K>(client: &Client, scope: Option<&String>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The leader before may have ended between the end of a job and the record of it: who takes over leaves it once more.
async fn repeat_the_last_records(ctx: &Context, scopes: &Scopes, repeat: bool) {
    for scope in scopes.0.iter().filter(|_| repeat) {
        while let Err(error) = repeat_records_of(ctx, scope.as_ref()).await {
            warn!(error = brief(error.as_ref()), "cannot list AuditLogReplayJobs; tried again");
            tokio::time::sleep(LIST_RETRY).await;
        }
    }
}

async fn repeat_records_of(ctx: &Context, scope: Option<&String>) -> Result<(), ListError> {
    // The record of a job tells who wrote what, which is left out elsewhere.
    let see = |object: &Whole| {
        if let Ok(job) = &object.0
            && has_lately_ended(ctx, job)
        {
            evidence::emit(job, Telling::Repeated);
        }
    };
    each(ctx, &api(&ctx.client, scope), PAGE_OF_WHOLE, see).await
}

/// Shows every object, a page at a time.
async fn each<K>(ctx: &Context, api: &Api<K>, page: u32, see: impl Fn(&K)) -> Result<(), ListError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = ListParams::default().limit(page);
    loop {
        let page = tokio::time::timeout(ctx.config.policy.request_timeout, api.list(&params)).await??;
        page.items.iter().for_each(&see);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(()),
        }
    }
}

/// Whether the leader before may have ended just after it wrote down the end of this job, and before it left the record of it. How
/// long there was no leader since is not known; longer than Konnect keeps events is not looked back.
fn has_lately_ended(ctx: &Context, job: &AuditLogReplayJob) -> bool {
    let age = |end: End| (ctx.clock().wall - end.at).to_std().unwrap_or_default();
    end(job).is_some_and(|end| age(end) < ctx.config.policy.retention)
}

/// What the apiserver said, without the object it said it in.
pub(super) fn brief(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => format!("{} {}: {}", status.code, status.reason, status.message),
        _ => error.to_string(),
    }
}

/// Watches one scope.
async fn watch_scope(
    scope: Option<String>,
    woken: UnboundedReceiver<ObjectRef<Guarded>>,
    ctx: Arc<Context>,
    readiness: &Readiness,
) {
    let (reader, writer) = reflector::store();
    ctx.stores.add(reader.clone());
    let renewed = watcher::Config::default().page_size(PAGE).timeout(ctx.config.watch_seconds());
    let objects = watcher(api::<Guarded>(&ctx.client, scope.as_ref()), renewed);
    let (known, replayed, readiness) = (reader.clone(), ctx.replayed.add(), readiness.clone());
    let arrivals = Arc::new(Arrivals { ctx: Arc::clone(&ctx), scope, known, replayed, readiness });
    let (coming, come) = (Arc::clone(&arrivals), Arc::clone(&arrivals));
    let stream = objects
        .default_backoff()
        .try_filter_map(move |event| future::ready(Ok(coming.coming(event))))
        .reflect(writer)
        .inspect_ok(move |event| come.come(event))
        .try_filter(move |event| future::ready(arrivals.needs_a_pass(event)))
        .touched_objects();
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
fn note<T>(ctx: &Arc<Context>, result: Result<T, ControllerError<std::convert::Infallible, watcher::Error>>) {
    match result {
        Ok(_) => {}
        Err(ControllerError::ObjectNotFound(object)) => {
            ctx.forget(object.namespace.as_deref().unwrap_or_default(), &object.name);
        }
        Err(error) => warn!(%error, "the watch was interrupted and goes on"),
    }
}
