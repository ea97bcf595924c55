//! The request to end the process, as everything that has to end hears it.

use std::time::Duration;

use tokio::sync::watch;

/// Tells whether the process is to end. Clones hear the same.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// What requests the end (it sends `true`), and what hears it.
    pub(crate) fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether the end was requested.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the end is requested.
    pub(crate) async fn requested(&self) {
        // An error means that the sender is gone, which it only is at the end.
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    /// Resolves `grace` after the end was requested.
    pub(crate) async fn requested_for(&self, grace: Duration) {
        self.requested().await;
        tokio::time::sleep(grace).await;
    }
}
