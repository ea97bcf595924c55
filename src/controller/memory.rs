//! What this process keeps of each object between passes. Losing an entry is safe: more is asked then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;

use crate::api::AuditLogReplayJob;
use crate::replay::{Memory, OwnWrites};

/// What is kept of one object.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the decision remembers.
    pub(super) memory: Memory,
    /// What the watch may not have shown yet.
    pub(super) own: OwnWrites,
    /// Passes that ended in an error since the last that did not.
    pub(super) failures: u32,
    uid: String,
}

/// All that is kept, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Keeper(Mutex<HashMap<(String, String), Kept>>);

impl Keeper {
    /// Takes out what is kept of `job`: nothing, if it was re-created since. A pass that does not put it back, because it
    /// panicked or was cut off, leaves nothing behind that could mislead the next.
    pub(super) fn take(&self, job: &AuditLogReplayJob) -> Kept {
        let uid = job.uid().unwrap_or_default();
        let kept = self.lock().remove(&key(job)).filter(|kept| kept.uid == uid);
        kept.unwrap_or_else(|| Kept { uid, ..Kept::default() })
    }

    /// Puts it back.
    pub(super) fn put(&self, job: &AuditLogReplayJob, kept: Kept) {
        self.lock().insert(key(job), kept);
    }

    /// Drops what is kept of an object that is gone.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Kept>> {
        // Nothing is done under this lock that could panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(job: &AuditLogReplayJob) -> (String, String) {
    (job.namespace().unwrap_or_default(), job.name_any())
}
