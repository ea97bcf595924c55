//! What the process that leads does for `AuditLogReplayJob`s, until its end is requested. Built anew with each term, so that nothing of an
//! earlier one is believed.

use std::sync::Arc;

use futures::future::{self, BoxFuture, LocalBoxFuture};
use kube::Client;
use tracing::info;

use super::context::Context;
use super::hooks::JobHooks;
use super::records;
use super::rest::rest_from_the_start;
use super::{vanished, wake};
use crate::runtime::controller::KindController;
use crate::runtime::leader::{Departure, Succession};
use crate::runtime::objects::{Kind, ListError, is_served};
use crate::runtime::shared::Shared;
use crate::runtime::watch::{Watches, watch_all};
use konnect_replay_core::api::AuditLogReplayJob;

/// The controller of `AuditLogReplayJob`.
pub(crate) struct ReplayController;

impl KindController for ReplayController {
    fn plural(&self) -> &'static str {
        AuditLogReplayJob::PLURAL
    }

    fn is_served<'a>(&self, client: &'a Client, namespace: Option<&'a str>) -> BoxFuture<'a, Result<(), ListError>> {
        Box::pin(is_served::<AuditLogReplayJob>(client, namespace))
    }

    fn work(&self, shared: Arc<Shared>, succession: Succession) -> LocalBoxFuture<'static, Departure> {
        Box::pin(work(shared, succession))
    }
}

/// Works until the end is requested, then lets running passes end.
async fn work(shared: Arc<Shared>, succession: Succession) -> Departure {
    // Without a lease it is not known how the process before ended.
    let repeat_evidence = succession != Succession::InOrder || shared.config.lease.is_none();
    let (watches, woken) = Watches::new(&shared);
    let ctx = Arc::new(Context::new(shared, watches));
    show_metrics(&ctx);
    if succession == Succession::Unclean {
        info!("the leader before did not end in order: no request is begun until nothing of it can be on its way");
        rest_from_the_start(&ctx);
    }
    tokio::select! {
        () = watch_all(woken, || JobHooks::new(&ctx, succession)) => {}
        () = and_then_nothing(records::repeat_the_last(&ctx, repeat_evidence)) => {}
        never = wake::keep_waking(&ctx) => match never {},
    }
    vanished::departure(&ctx)
}

/// Work that ends by itself, beside work without an end.
async fn and_then_nothing(work: impl Future<Output = ()>) {
    work.await;
    future::pending::<()>().await;
}

/// The metrics show the objects as soon as all have been seen.
fn show_metrics(ctx: &Context) {
    let (stores, readiness) = (ctx.watches.stores.clone(), ctx.shared.readiness.clone());
    ctx.shared.metrics.leading(Box::new(move |visitor| {
        let complete = readiness.is_ready();
        if complete {
            stores.visit(visitor);
        }
        complete
    }));
}
