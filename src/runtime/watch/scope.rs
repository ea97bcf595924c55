//! The watch loop: one stream, one store and one kube controller for each scope of a kind.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, future};
use kube::runtime::controller::{Config as ControllerConfig, Error as ControllerError};
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use tracing::warn;

use super::arrivals::Arrivals;
use super::hooks::Hooks;
use super::wakers::WokenIn;
use crate::runtime::objects::Guarded;

/// Objects on their way at once in lists, of all watches together. A page is in memory twice, as text, before anything of it is left
/// out, and an author can make an object 1.5 MB large: 25 of them take 75 MB, and the chart's limit is 256 Mi.
const PAGE: u32 = 25;

/// Watches every scope of a kind, each with hooks of its own, until the end of the process is requested and the running passes have ended. No
/// pass begins before all scopes have been listed.
pub(crate) async fn watch_all<H: Hooks>(scopes: Vec<WokenIn<H::Kind>>, hooks: impl Fn() -> H) {
    future::join_all(scopes.into_iter().map(|woken| watch(woken, Arc::new(hooks())))).await;
}

async fn watch<H: Hooks>(WokenIn { scope, objects: woken }: WokenIn<H::Kind>, hooks: Arc<H>) {
    let (reader, writer) = reflector::store();
    hooks.watches().stores.add(reader.clone());
    let shared = Arc::clone(hooks.shared());
    let renewed = watcher::Config::default().page_size(shared.scopes.page(PAGE)).timeout(shared.config.watch_seconds());
    let objects = watcher(Guarded::<H::Kind>::api(&shared.client, scope.as_deref()), renewed);
    let arrivals = Arc::new(Arrivals::new(Arc::clone(&hooks), scope, reader.clone()));
    let [coming, come, failed, needed] = std::array::from_fn(|_| Arc::clone(&arrivals));
    let stream = objects
        .default_backoff()
        .inspect_err(move |error| failed.failed(error))
        .try_filter_map(move |event| future::ready(Ok(coming.coming(event))))
        .reflect(writer)
        .inspect_ok(move |event| come.come(event))
        .try_filter(move |event| future::ready(needed.needs_a_pass(event)))
        .touched_objects();
    let stop = shared.stop.clone();
    let controller = Controller::for_stream(stream, reader)
        .with_config(ControllerConfig::default().concurrency(shared.config.concurrency))
        .reconcile_on(woken)
        .graceful_shutdown_on(async move { stop.requested().await })
        .run(
            |object, hooks: Arc<H>| async move { Ok::<_, Infallible>(hooks.pass(object).await) },
            |_, error, _| match *error {},
            Arc::clone(&hooks),
        )
        .for_each(|result| {
            note(&*hooks, result);
            future::ready(())
        });
    tokio::select! {
        () = controller => {}
        () = stopped_before_it_was_listed(&arrivals) => {}
    }
}

/// Resolves when the request to stop finds the scope not yet listed. A controller does not end while it waits for its list, which may be
/// for ever; and no pass of it has begun.
async fn stopped_before_it_was_listed<H: Hooks>(arrivals: &Arrivals<H>) {
    arrivals.hooks.shared().stop.requested().await;
    if arrivals.has_been_listed() {
        future::pending::<()>().await;
    }
}

/// What the kube controller itself has to say: objects that are gone. Failures of the watch are logged where they are seen first.
fn note<H: Hooks, T>(hooks: &H, result: Result<T, ControllerError<Infallible, watcher::Error>>) {
    match result {
        Ok(_) | Err(ControllerError::QueueError(_)) => {}
        Err(ControllerError::ObjectNotFound(object)) => {
            hooks.forget(object.namespace.as_deref().unwrap_or_default(), &object.name);
        }
        Err(error) => warn!(%error, "the controller complains"),
    }
}
