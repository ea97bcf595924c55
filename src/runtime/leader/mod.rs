//! One replica works, the others stand by: a `Lease`, judged by local observation (`election.rs`), and the message of the last leader on
//! how it left (`lease.rs`).
//!
//! A lease is no fence: a leader that was stopped for a while may wake up and believe it still leads. What keeps such a one from
//! sending is the record in the object and the age of its reading, see [`konnect_replay_core::replay`].

mod election;
mod lease;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::time::Duration;

use futures::future::{self, Either};
use kube::{Api, Client};
use tracing::info;

use election::Election;

/// How long one call for the lease may take: half of the time a leader has to renew it, as in client-go, so that one that hangs is
/// tried again.
pub(crate) const CALL: Duration = Duration::from_secs(5);

/// How the leader before us left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Succession {
    /// There was none, or it ended its work and said so: nothing of its can still be on the way.
    InOrder,
    /// Unknown: there was no lease. This is the first start, or the lease was deleted.
    Unknown,
    /// It crashed, or lost the lease: a request of its may still be on the way.
    Unclean,
}

/// How we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// Whatever may still be on its way stands in an object's status.
    Settled,
    /// A request of an object that is gone may still be on its way.
    Unsettled,
}

/// What became of the wish to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// It was given up before the work began.
    NotBegun,
    /// The lease was lost, and the work dropped.
    Lost,
    /// The work ended by itself, so.
    Ended(Departure),
}

/// A candidate for the lease.
pub(crate) struct Leadership(Election);

impl Leadership {
    /// Takes part in the election for the lease `name`; nothing is called yet. `identity` must be no other process's.
    pub(crate) fn new(client: &Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self(Election::new(Api::namespaced(client.clone(), namespace), name, identity))
    }

    /// Waits for the lease, then does `work` under it. `work` is dropped when the lease is lost ([`Term::Lost`]); when it ends by itself,
    /// the lease is given back with a message on how, and the next replica takes it at once. `stop` ends the waiting, not the work.
    pub(crate) async fn lead(
        &self,
        stop: impl Future<Output = ()>,
        work: impl AsyncFnOnce(Succession) -> Departure,
    ) -> Term {
        let Some(mut held) = self.0.win(stop).await else { return Term::NotBegun };
        let work = pin!(work(lease::succession(&held.lease)));
        let departure = match future::select(work, pin!(self.0.keep(&mut held))).await {
            Either::Left((departure, _)) => departure,
            Either::Right(((), _)) => return Term::Lost,
        };
        if departure == Departure::Unsettled {
            info!("a request of a deleted object may be on its way: the next leader rests first");
        }
        self.0.give_back(held, departure).await;
        Term::Ended(departure)
    }
}
