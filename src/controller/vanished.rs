//! What becomes of the places of objects that are gone.

use std::sync::Arc;

use kube::ResourceExt;
use tracing::info;

use super::context::Context;
use super::memory::Kept;
use crate::api::AuditLogReplayJob;
use crate::leader::Departure;
use crate::replay::ObjectId;

impl Context {
    /// Gives up what `who` holds, an object that is gone; what it looked into is open to the next.
    fn retire(&self, who: &ObjectId) {
        let woken = self.lanes().gone(who, self.clock().mono);
        self.wake_all(&woken);
    }

    /// An object is gone: so is what was kept of it, and in time so are its places.
    pub(super) fn forget(self: &Arc<Self>, namespace: &str, name: &str) {
        let kept = self.keeper.forget(namespace, name);
        let known = self.lanes().named(namespace, name);
        for id in known {
            self.vanished(&id, kept.as_ref());
        }
    }

    /// `job` may have taken the name of another object, which is gone: what was kept of that is `former`.
    pub(super) fn replaced(self: &Arc<Self>, job: &AuditLogReplayJob, former: Option<&Kept>) {
        let known = self.lanes().named(&job.namespace().unwrap_or_default(), &job.name_any());
        for id in known.iter().filter(|id| Some(&id.uid) != job.metadata.uid.as_ref()) {
            self.vanished(id, former);
        }
    }

    /// `who` is gone. A request of its that may still take effect keeps its places until it must show: whoever comes next would
    /// see a free target, and send over it.
    pub(super) fn vanished(self: &Arc<Self>, who: &ObjectId, kept: Option<&Kept>) {
        self.newcomers.no_more(who);
        let settle_time = self.config.policy.settle_time();
        if self.lingering().contains(who) {
            return;
        }
        // Where nothing was kept anything may be on its way.
        let left = kept
            .filter(|kept| kept.is_of(who))
            .map_or(Some(settle_time), |kept| kept.unsettled(settle_time, self.clock().mono));
        let Some(left) = left.filter(|_| self.lanes().holds(who)) else { return self.retire(who) };
        self.lingering().insert(who.clone());
        info!(
            namespace = who.namespace,
            name = who.name,
            seconds = left.as_secs(),
            "deleted while its request may take effect"
        );
        let (ctx, who) = (Arc::clone(self), who.clone());
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            ctx.retire(&who);
            ctx.lingering().remove(&who);
        });
    }

    /// What the next leader is to be told: a request of an object that is gone stands in no status.
    pub(super) fn departure(&self) -> Departure {
        if self.lingering().is_empty() { Departure::Settled } else { Departure::Unsettled }
    }
}
