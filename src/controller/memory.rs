//! What this process keeps of each object between passes. Losing an entry is safe: more is asked then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;

use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::events::Announcer;
use konnect_replay_core::replay::{Memory, ObjectId, OwnWrites};

/// What is kept of one object.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the decision remembers.
    pub(super) memory: Memory,
    /// The object before a write of ours that may have landed, although its answer was lost.
    pub(super) unconfirmed: Option<Box<AuditLogReplayJob>>,
    /// What the watch may not have shown yet.
    pub(super) own: OwnWrites,
    /// What was announced of it.
    pub(super) announcer: Announcer,
    /// Passes that ended in an error since the last that did not.
    pub(super) failures: u32,
    /// How often its first pass was put off, so that others could go.
    pub(super) put_off: u8,
    /// A pass panicked, and none has succeeded since: what this process knew of a request is lost.
    pub(super) knows_nothing: bool,
    uid: String,
}

impl Kept {
    /// Which object it is of, by the name of `job`.
    pub(super) fn id(&self, job: &AuditLogReplayJob) -> ObjectId {
        ObjectId { namespace: job.namespace().unwrap_or_default(), name: job.name_any(), uid: self.uid.clone() }
    }

    /// What is left of it after a pass that panicked half-way: whose it is.
    pub(super) fn emptied(self) -> Self {
        Self { uid: self.uid, knows_nothing: true, ..Self::default() }
    }

    /// How long from now a request of this object may still take effect unseen, if one may.
    pub(super) fn unsettled(&self, settle_time: Duration, now: Duration) -> Option<Duration> {
        if self.knows_nothing { Some(settle_time) } else { self.memory.unsettled(settle_time, now) }
    }

    /// Whether it is of `who`.
    pub(super) fn is_of(&self, who: &ObjectId) -> bool {
        self.uid == who.uid
    }
}

/// All that is kept, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Keeper(Mutex<HashMap<(String, String), Kept>>);

impl Keeper {
    /// Takes out what is kept of `job`: nothing, if it was re-created since; what was kept of its forerunner comes second. A pass
    /// that does not put it back, because it was cut off, leaves nothing behind that could mislead the next.
    pub(super) fn take(&self, job: &AuditLogReplayJob) -> (Kept, Option<Kept>) {
        let uid = job.uid().unwrap_or_default();
        match self.lock().remove(&key(job)) {
            Some(kept) if kept.uid == uid => (kept, None),
            former => (Kept { uid, ..Kept::default() }, former),
        }
    }

    /// Puts it back.
    pub(super) fn put(&self, job: &AuditLogReplayJob, kept: Kept) {
        self.lock().insert(key(job), kept);
    }

    /// Drops what is kept of an object that is gone, and says what it was.
    pub(super) fn forget(&self, namespace: &str, name: &str) -> Option<Kept> {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()))
    }

    /// The objects that have an entry.
    pub(super) fn everybody(&self) -> Vec<ObjectId> {
        let kept = self.lock();
        let id = |((namespace, name), kept): (&(String, String), &Kept)| ObjectId {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: kept.uid.clone(),
        };
        kept.iter().map(id).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Kept>> {
        // Nothing is done under this lock that could panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(job: &AuditLogReplayJob) -> (String, String) {
    (job.namespace().unwrap_or_default(), job.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_panic_anything_may_be_on_its_way() {
        let (settle_time, now) = (Duration::from_secs(70), Duration::from_hours(1));
        assert_eq!(Kept::default().unsettled(settle_time, now), None);
        assert_eq!(Kept::default().emptied().unsettled(settle_time, now), Some(settle_time));
    }
}
