//! What becomes of the reservations of objects that are gone.

use kube::ResourceExt;
use tracing::info;

use super::context::Context;
use super::memory::Kept;
use crate::leader::Departure;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::ObjectId;

impl Context {
    /// An object is gone: so is what was kept of it, and in time so are its reservations.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        let kept = self.keeper.forget(namespace, name);
        let known = self.scheduler().named(namespace, name);
        for id in known {
            self.vanished(&id, kept.as_ref());
        }
    }

    /// `job` may have taken the name of another object, which is gone: what was kept of that is `former`.
    pub(super) fn replaced(&self, job: &AuditLogReplayJob, former: Option<&Kept>) {
        let known = self.scheduler().named(&job.namespace().unwrap_or_default(), &job.name_any());
        for id in known.iter().filter(|id| Some(&id.uid) != job.metadata.uid.as_ref()) {
            self.vanished(id, former);
        }
    }

    /// `who` is gone. A request of its that may still take effect reserves lane and target until it must show: the next job would
    /// see a free target, and send over it.
    pub(super) fn vanished(&self, who: &ObjectId, kept: Option<&Kept>) {
        let (settle_time, now) = (self.config.policy.settle_time(), self.clock().mono);
        // Where nothing was kept anything may be on its way.
        let left =
            kept.filter(|kept| kept.is_of(who)).map_or(Some(settle_time), |kept| kept.unsettled(settle_time, now));
        let woken = match left.filter(|_| self.scheduler().reserves(who)) {
            None => self.scheduler().gone(who, now),
            Some(left) => {
                let seconds = left.as_secs();
                info!(namespace = who.namespace, name = who.name, seconds, "deleted while its request may take effect");
                self.scheduler().vanished(who, now + left, now)
            }
        };
        self.wake_all(woken);
    }

    /// What the next leader is to be told: a request of an object that is gone stands in no status.
    pub(super) fn departure(&self) -> Departure {
        if self.scheduler().has_leftovers() { Departure::Unsettled } else { Departure::Settled }
    }
}
