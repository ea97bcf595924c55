//! What the one that leads does: one controller for each watched namespace, until told to stop. No pass begins before all objects
//! have been listed, and their lanes and targets are reserved or queued for. Built anew with each term, so that nothing of an earlier
//! one is believed.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{StreamExt, TryStreamExt, future};
use kube::api::ListParams;
use kube::runtime::controller::{Config as ControllerConfig, Error as ControllerError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::Event;
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tracing::{debug, info, warn};

use super::arrivals::{Arrivals, Refusals};
use super::context::{Context, Stop};
use super::reconcile::reconcile;
use super::slim::Guarded;
use super::slim::{Objects, Whole};
use super::{events, wake};
use crate::config::Config;
use crate::evidence::{self, Telling};
use crate::konnect_http::HttpClient;
use crate::leader::{Departure, Succession};
use crate::metrics::Metrics;
use crate::server::Readiness;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{End, end, is_under_way};

/// Objects on their way at once in lists, of all scopes together. A page is in memory twice, as text, before anything of it is left
/// out, and an author can make an object 1.5 MB large: 25 of them take 75 MB, and the chart's limit is 256 Mi.
const PAGE: u32 = 25;
/// The same of objects that are read whole, which is done while others may be listed.
const PAGE_OF_WHOLE: u32 = 10;
/// Spacing of tries to list objects whose records are repeated.
const LIST_RETRY: Duration = Duration::from_secs(2);
/// How long that is tried for each scope.
const LIST_LIMIT: Duration = Duration::from_mins(15);
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

    /// Whether the apiserver lets us list the objects: where only some namespaces are refused, which ones those are.
    pub(super) async fn are_served(&self, client: &Client) -> Result<Vec<Unserved>, Unserved> {
        let (mut refused, mut served) = (Vec::new(), false);
        for scope in &self.0 {
            match is_served(client, scope.as_ref()).await {
                Ok(()) => served = true,
                Err(error) if is_refusal(error.as_ref()) => refused.push(Unserved::new(scope.as_ref(), &error)),
                Err(error) => return Err(Unserved::new(scope.as_ref(), &error)),
            }
        }
        match refused.pop() {
            Some(unserved) if !served => Err(unserved),
            last => {
                refused.extend(last);
                Ok(refused)
            }
        }
    }

    /// Objects per page of each, so that all together stay within `total`.
    fn page(&self, total: u32) -> u32 {
        (total / u32::try_from(self.0.len()).unwrap_or(u32::MAX).max(1)).max(1)
    }
}

/// A scope whose objects cannot be listed.
#[derive(Debug)]
pub(super) struct Unserved {
    /// The namespace; `None` if all are watched.
    pub(super) namespace: Option<String>,
    /// What the apiserver said.
    pub(super) error: String,
}

impl Unserved {
    fn new(scope: Option<&String>, error: &ListError) -> Self {
        Self { namespace: scope.cloned(), error: brief(error.as_ref()) }
    }
}

async fn is_served(client: &Client, scope: Option<&String>) -> Result<(), ListError> {
    let api = api(client, scope);
    tokio::time::timeout(LOOK, api.list(&ListParams::default().limit(1))).await??;
    Ok(())
}

fn is_refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 403)
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
    let repeat_evidence = succession != Succession::InOrder || config.lease.is_none();
    let (publisher, publishing) = events::start(client.clone());
    let ctx = Arc::new(Context::new(client, konnect, config, wakers, stop.clone(), publisher, metrics));
    ctx.listed.expect(&scopes.0);
    show_metrics(&ctx, readiness);
    if succession == Succession::Unclean {
        info!("the leader before did not end in order: no request is begun until nothing of it can be on its way");
        rest_from_the_start(&ctx);
    }
    let watching =
        Watching { ctx: Arc::clone(&ctx), page: scopes.page(PAGE), readiness: readiness.clone(), succession };
    let controllers = woken.into_iter().map(|(scope, woken)| watching.clone().scope(scope, woken));
    tokio::select! {
        _ = future::join_all(controllers) => {}
        () = and_then_nothing(repeat_the_last_records(&ctx, &scopes, repeat_evidence)) => {}
        never = wake::keep_waking(&ctx) => match never {},
    }
    publishing.finish().await;
    ctx.departure()
}

/// Has no request begun for one settle time, counted from the start of this term. Answers whether that is news.
fn rest_from_the_start(ctx: &Context) -> bool {
    let (mut scheduler, now) = (ctx.scheduler(), ctx.clock().mono);
    if scheduler.is_resting(now) {
        return false;
    }
    scheduler.rest_until(ctx.config.policy.settle_time());
    scheduler.is_resting(now)
}

/// Work that ends by itself, beside work without an end.
async fn and_then_nothing(work: impl Future<Output = ()>) {
    work.await;
    future::pending::<()>().await;
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

fn api(client: &Client, scope: Option<&String>) -> Api<Guarded> {
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The leader before may have ended between the end of a job and the record of it: who takes over leaves it once more. Beside the work,
/// which nothing of this delays: a namespace that cannot be listed, a page that is slow or a list that expires is given up after a while.
async fn repeat_the_last_records(ctx: &Context, scopes: &Scopes, repeat: bool) {
    if !repeat {
        return;
    }
    // The lists of the watches come first: two at a time would take the memory of both.
    ctx.listed.is_complete().await;
    for scope in &scopes.0 {
        if let Err(why) = repeat_records_of(ctx, scope.as_ref(), scopes.page(PAGE_OF_WHOLE)).await {
            warn!(
                namespace = scope.as_deref(),
                error = brief(why.as_ref()),
                "the evidence of jobs that ended before this start may be missing from the log: they could not be listed"
            );
        }
    }
}

async fn repeat_records_of(ctx: &Context, scope: Option<&String>, page: u32) -> Result<(), ListError> {
    let told = RefCell::new(HashSet::new());
    let see = |object: &Whole| {
        if let Some(job) = object.job()
            && has_lately_ended(ctx, job)
            && told.borrow_mut().insert(job.uid())
        {
            evidence::emit(job, Telling::Repeated);
        }
    };
    let give_up = Instant::now() + LIST_LIMIT;
    loop {
        match each(ctx, scope, page, see).await {
            Err(error) if !is_refusal(error.as_ref()) && Instant::now() < give_up => {
                debug!(error = brief(error.as_ref()), "cannot list AuditLogReplayJobs for evidence; tried again");
                tokio::time::sleep(LIST_RETRY).await;
            }
            outcome => return outcome,
        }
    }
}

/// Shows every object, a page at a time.
async fn each(ctx: &Context, scope: Option<&String>, page: u32, see: impl Fn(&Whole)) -> Result<(), ListError> {
    let (objects, mut params) = (Objects::new(&ctx.client), ListParams::default().limit(page));
    loop {
        let list = objects.list(scope.map(String::as_str), &params);
        let page = tokio::time::timeout(ctx.config.policy.request_timeout, list).await??;
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

/// What the watches of all scopes share.
#[derive(Clone)]
struct Watching {
    ctx: Arc<Context>,
    /// Objects per page of a list.
    page: u32,
    readiness: Readiness,
    succession: Succession,
}

impl Watching {
    /// Watches one scope.
    async fn scope(self, scope: Option<String>, woken: UnboundedReceiver<ObjectRef<Guarded>>) {
        let ctx = Arc::clone(&self.ctx);
        let (reader, writer) = reflector::store();
        ctx.stores.add(reader.clone());
        let renewed = watcher::Config::default().page_size(self.page).timeout(ctx.config.watch_seconds());
        let objects = watcher(api(&ctx.client, scope.as_ref()), renewed);
        let arrivals = Arc::new(Arrivals {
            ctx: Arc::clone(&ctx),
            scope,
            known: reader.clone(),
            replayed: ctx.replayed.add(),
            readiness: self.readiness.clone(),
            refusals: Refusals::default(),
        });
        let [coming, come, failed, needed] = std::array::from_fn(|_| Arc::clone(&arrivals));
        let stream = objects
            .default_backoff()
            .inspect_err(move |error| failed.failed(error))
            .try_filter_map(move |event| future::ready(Ok(coming.coming(event))))
            .inspect_ok(move |event| self.rest_if_under_way(event))
            .reflect(writer)
            .inspect_ok(move |event| come.come(event))
            .try_filter(move |event| future::ready(needed.needs_a_pass(event)))
            .touched_objects();
        let stop = ctx.stop.clone();
        let controller = Controller::for_stream(stream, reader)
            .with_config(ControllerConfig::default().concurrency(ctx.config.concurrency))
            .reconcile_on(woken)
            .graceful_shutdown_on(async move { stop.requested().await })
            .run(reconcile, |_, error, _| match *error {}, Arc::clone(&ctx))
            .for_each(|result| {
                note(&ctx, result);
                future::ready(())
            });
        tokio::select! {
            () = controller => {}
            () = stopped_before_it_was_listed(&arrivals) => {}
        }
    }

    /// If it is unknown how the last leader ended, as its lease was deleted, an object that is under way shows that there was one.
    fn rest_if_under_way(&self, event: &Event<Guarded>) {
        let (Event::InitApply(object), Succession::Unknown) = (event, self.succession) else { return };
        if object.job().is_ok_and(is_under_way) && rest_from_the_start(&self.ctx) {
            info!(
                "there was no lease, and a replay is under way: no request is begun until nothing of a leader before can be on its way"
            );
        }
    }
}

/// Resolves when the word to stop finds the scope not yet listed. A controller does not end while it waits for its list, which may be
/// for ever; and no pass of it has begun.
async fn stopped_before_it_was_listed(arrivals: &Arrivals) {
    arrivals.ctx.stop.requested().await;
    if arrivals.has_been_listed() {
        future::pending::<()>().await;
    }
}

/// What the controller itself has to say: objects that are gone. Failures of the watch are logged where they are seen first.
fn note<T>(ctx: &Arc<Context>, result: Result<T, ControllerError<std::convert::Infallible, watcher::Error>>) {
    match result {
        Ok(_) | Err(ControllerError::QueueError(_)) => {}
        Err(ControllerError::ObjectNotFound(object)) => {
            ctx.forget(object.namespace.as_deref().unwrap_or_default(), &object.name);
        }
        Err(error) => warn!(%error, "the controller complains"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_namespaces_are_watched_their_pages_stay_within_the_same_memory() {
        for (namespaces, page) in [(1, 50), (2, 25), (7, 7), (50, 1), (400, 1)] {
            let scopes = Scopes((0..namespaces).map(|n| Some(format!("n{n}"))).collect());
            assert_eq!(scopes.page(50), page, "{namespaces}");
        }
    }
}
