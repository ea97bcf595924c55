//! What has been listed of what there is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// Whether all that there is has been listed. What is reserved in one namespace concerns the others too, so until then no pass begins.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    missing: watch::Sender<BTreeSet<Option<String>>>,
    /// Whether at least one scope has been listed.
    any: AtomicBool,
}

impl Listed {
    /// Takes note of what is to be listed.
    pub(crate) fn expect<'a>(&self, scopes: impl Iterator<Item = Option<&'a str>>) {
        self.missing.send_replace(scopes.map(|scope| scope.map(str::to_owned)).collect());
    }

    /// Takes note that `scope` has been listed. Answers whether that was the first time.
    pub(crate) fn seen(&self, scope: Option<&String>) -> bool {
        self.any.store(true, Ordering::Release);
        self.missing.send_if_modified(|missing| missing.remove(&scope.cloned()))
    }

    /// Waits no longer for `scope`, if another one has been listed. Answers whether it was waited for until now.
    pub(crate) fn excuse(&self, scope: Option<&String>) -> bool {
        self.any.load(Ordering::Acquire) && self.missing.send_if_modified(|missing| missing.remove(&scope.cloned()))
    }

    /// Whether `scope` has been listed.
    pub(crate) fn has(&self, scope: Option<&String>) -> bool {
        !self.missing.borrow().contains(&scope.cloned())
    }

    /// Resolves when nothing is missing.
    pub(crate) async fn is_complete(&self) {
        // The sender is ours, so that this cannot fail.
        let _ = self.missing.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}
