//! What is known of the times that the API server did not let us list a scope.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::watcher;

use crate::runtime::objects;

/// What is known of the times that the API server did not let us list a scope.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Since when each try to list was refused, by the clock of this process.
    since: Mutex<Option<Duration>>,
    /// Whether the scope has been listed once.
    listed: AtomicBool,
}

impl Refusals {
    /// Takes note of one more, at `now`. Answers how long the refusals have been going on.
    pub(super) fn note(&self, now: Duration) -> Duration {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_sub(*since.get_or_insert(now))
    }

    /// They are over. Answers whether there were any.
    pub(super) fn end(&self) -> bool {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// The scope has been listed. Answers whether there were refusals before.
    pub(super) fn listed(&self) -> bool {
        self.listed.store(true, Ordering::Release);
        self.end()
    }

    /// Whether the scope has ever been listed.
    pub(super) fn has_been_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }
}

/// Whether the API server refused the watch: it knows the operator, and does not let it read there.
pub(super) fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => objects::is_refusal(cause),
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}
