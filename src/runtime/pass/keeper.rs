//! What this process keeps of each object between passes. Losing an entry is safe: more is asked then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};

use konnect_replay_core::replay::ObjectId;

/// Longest wait after passes that failed.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// The entry of one object.
#[derive(Debug, Default)]
pub(crate) struct Entry<S> {
    /// What its kind keeps of it.
    pub(crate) kept: S,
    /// Passes that ended in an error since the last that did not.
    failures: u32,
    uid: String,
}

impl<S> Entry<S> {
    /// Which object it is of, by the name of `object`.
    pub(crate) fn id<K: Resource>(&self, object: &K) -> ObjectId {
        ObjectId { namespace: object.namespace().unwrap_or_default(), name: object.name_any(), uid: self.uid.clone() }
    }

    /// Whether it is of `who`.
    pub(crate) fn is_of(&self, who: &ObjectId) -> bool {
        self.uid == who.uid
    }

    /// Takes note of a pass that succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Takes note of a pass that failed. Answers when the next one is due: failures in a row are spaced from one second to one minute.
    pub(crate) fn failed(&mut self) -> Duration {
        let wait = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << failures.min(6)).min(MAX_BACKOFF)
}

/// The entries of all objects of a kind, by namespace and name.
#[derive(Debug)]
pub(crate) struct Keeper<S>(Mutex<HashMap<(String, String), Entry<S>>>);

impl<S> Default for Keeper<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Default> Keeper<S> {
    /// Takes out the entry of `object`: an empty one, if it was re-created since; the entry of its forerunner comes second. A pass that
    /// does not put it back, because it was cut off, leaves nothing behind that could mislead the next.
    pub(crate) fn take<K: Resource>(&self, object: &K) -> (Entry<S>, Option<Entry<S>>) {
        let uid = object.uid().unwrap_or_default();
        match self.lock().remove(&key(object)) {
            Some(entry) if entry.uid == uid => (entry, None),
            former => (Entry { uid, kept: S::default(), failures: 0 }, former),
        }
    }

    /// Puts it back.
    pub(crate) fn put<K: Resource>(&self, object: &K, entry: Entry<S>) {
        self.lock().insert(key(object), entry);
    }

    /// Drops the entry of an object that is gone, and answers what it was.
    pub(crate) fn forget(&self, namespace: &str, name: &str) -> Option<Entry<S>> {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()))
    }

    /// The objects that have an entry.
    pub(crate) fn all(&self) -> Vec<ObjectId> {
        let entries = self.lock();
        let id = |((namespace, name), entry): (&(String, String), &Entry<S>)| ObjectId {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: entry.uid.clone(),
        };
        entries.iter().map(id).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Entry<S>>> {
        // Nothing is done under this lock that could panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_passes_are_spaced_from_one_second_to_one_minute() {
        let seconds: Vec<u64> = [0, 1, 2, 5, 6, 7, u32::MAX].map(|n| backoff(n).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
        let mut entry = Entry::<()>::default();
        assert_eq!([entry.failed(), entry.failed()].map(|wait| wait.as_secs()), [1, 2]);
        entry.succeeded();
        assert_eq!(entry.failed().as_secs(), 1);
    }
}
