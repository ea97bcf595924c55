//! What becomes of the reservations of objects that are gone.

use kube::ResourceExt;
use tracing::info;

use super::context::Context;
use super::kept::Entry;
use crate::runtime::leader::Departure;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::ObjectId;

/// An object is gone: so is what was kept of it, and in time so are its reservations.
pub(super) fn forget(ctx: &Context, namespace: &str, name: &str) {
    let kept = ctx.keeper.forget(namespace, name);
    let known = ctx.scheduler().named(namespace, name);
    for id in known {
        vanished(ctx, &id, kept.as_ref());
    }
}

/// `job` may have taken the name of another object, which is gone: what was kept of that is `former`.
pub(super) fn replaced(ctx: &Context, job: &AuditLogReplayJob, former: Option<&Entry>) {
    let known = ctx.scheduler().named(&job.namespace().unwrap_or_default(), &job.name_any());
    for id in known.iter().filter(|id| Some(&id.uid) != job.metadata.uid.as_ref()) {
        vanished(ctx, id, former);
    }
}

/// `who` is gone. A request of `who` that may still take effect reserves lane and target until it must show: the next job would see a
/// free target, and send over it.
pub(super) fn vanished(ctx: &Context, who: &ObjectId, entry: Option<&Entry>) {
    let (settle_time, now) = (ctx.policy().settle_time(), ctx.clock().mono);
    // Where nothing was kept anything may be on its way.
    let left = entry
        .filter(|entry| entry.is_of(who))
        .map_or(Some(settle_time), |entry| entry.kept.unsettled(settle_time, now));
    let woken = match left.filter(|_| ctx.scheduler().reserves(who)) {
        None => ctx.scheduler().gone(who, now),
        Some(left) => {
            let seconds = left.as_secs();
            info!(namespace = who.namespace, name = who.name, seconds, "deleted while its request may take effect");
            ctx.scheduler().vanished(who, now + left, now)
        }
    };
    ctx.wake_all(woken);
}

/// What the next leader is to be told: a request of an object that is gone stands in no status.
pub(super) fn departure(ctx: &Context) -> Departure {
    if ctx.scheduler().has_leftovers() { Departure::Unsettled } else { Departure::Settled }
}
