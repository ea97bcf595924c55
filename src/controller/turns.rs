//! Changes of who may go. Whoever gets to go by one is woken.

use std::sync::Arc;

use kube::ResourceExt;
use tracing::info;

use super::context::Context;
use super::memory::Kept;
use crate::api::AuditLogReplayJob;
use crate::leader::Departure;
use crate::replay::{Candidate, ObjectId, TroubleWith, Turn};

impl Context {
    /// Asks for lane and target.
    pub(super) fn take_turn(&self, who: &Candidate) -> Turn {
        let now = self.clock().mono;
        let mut lanes = self.lanes();
        if let Some(wait) = lanes.resting(now) {
            return Turn::NotYet { wait };
        }
        let next = lanes.give_way(&who.id, now);
        let turn = lanes.take(who, now);
        drop(lanes);
        self.wake_all(&next);
        turn
    }

    /// Reserves the target alone: others of the lane may go.
    pub(super) fn hold_target(&self, who: &Candidate) {
        let woken = self.lanes().hold_target(who, self.clock().mono);
        self.wake_all(&woken);
    }

    /// Somebody else's run is in the way of `who`.
    pub(super) fn blocked(&self, who: &ObjectId) {
        self.lanes().blocked(who, self.clock().mono);
    }

    /// Konnect refused the request of `who` because of a run that cannot be seen.
    pub(super) fn refused(&self, who: &ObjectId) {
        let woken = self.lanes().refused(who, self.clock().mono);
        self.wake_all(&woken);
    }

    /// Gives up what `who` holds.
    pub(super) fn leave(&self, who: &ObjectId) {
        let woken = self.lanes().leave(who, self.clock().mono);
        self.wake_all(&woken);
    }

    /// The same for an object that asks no more questions: what it looked into is open to the next.
    pub(super) fn retire(&self, who: &ObjectId) {
        let woken = self.lanes().gone(who, self.clock().mono);
        self.wake_all(&woken);
    }

    /// Trouble that others share is over.
    pub(super) fn mended(&self, with: &TroubleWith) {
        let woken = self.lanes().mended(with, self.clock().mono);
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
        let settle_time = self.config.policy.settle_time();
        if self.lingering().contains(who) {
            return;
        }
        // Where nothing was kept, as after a panic, anything may be on its way.
        let left = kept
            .filter(|kept| kept.is_of(who))
            .map_or(Some(settle_time), |kept| kept.memory.unsettled(settle_time, self.clock().mono));
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
