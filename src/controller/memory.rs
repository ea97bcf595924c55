//! What this process keeps of each object between passes. Losing an entry is safe: more is asked then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;

use crate::api::AuditLogReplayJob;
use crate::replay::Memory;

/// What is kept of one object.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the decision remembers.
    pub(super) memory: Memory,
    /// The object before a write of ours that may have landed, although its answer was lost.
    pub(super) unconfirmed: Option<Box<AuditLogReplayJob>>,
    /// Passes that ended in an error since the last that did not.
    pub(super) failures: u32,
    uid: String,
    latest: Option<Latest>,
}

/// Our own last write, which the watch may not have shown yet.
#[derive(Debug)]
struct Latest {
    job: AuditLogReplayJob,
    superseded: Vec<String>,
}

impl Kept {
    /// The newest version known: our own last write, as long as the watch still shows one from before it.
    pub(super) fn newest(&mut self, watched: &AuditLogReplayJob) -> AuditLogReplayJob {
        let version = watched.resource_version().unwrap_or_default();
        match &self.latest {
            Some(latest) if latest.superseded.contains(&version) => latest.job.clone(),
            _ => {
                self.latest = None;
                watched.clone()
            }
        }
    }

    /// Takes note that our write turned version `from` into `job`.
    pub(super) fn wrote(&mut self, from: String, job: &AuditLogReplayJob) {
        let mut superseded = self.latest.take().map(|l| l.superseded).unwrap_or_default();
        superseded.push(from);
        self.latest = Some(Latest { job: job.clone(), superseded });
    }
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
