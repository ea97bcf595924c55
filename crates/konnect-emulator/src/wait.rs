//! Waiting for a condition instead of a time.

use std::time::Duration;

use tokio::sync::watch;

use crate::Error;

/// Looks at once and after every change, until `look` finds something. No change between two looks is missed.
pub(crate) async fn wait_for<T>(
    mut changes: watch::Receiver<u64>,
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let found = async {
        loop {
            changes.mark_unchanged();
            if let Some(found) = look() {
                return Some(found);
            }
            changes.changed().await.ok()?;
        }
    };
    tokio::time::timeout(limit, found).await.ok().flatten().ok_or(Error::Timeout(limit))
}
