//! One replica works, the others stand by: a `Lease`, judged by local observation (the `k8s-controller` crate), and the word of
//! the last leader on how it left.
//!
//! A lease is no fence: a leader that was stopped for a while may wake up and believe it still leads. What keeps such a one from
//! sending is the record in the object and the age of its reading, see [`crate::replay`].

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_controller::LeaderElection;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tracing::{info, warn};

/// How long a lease holds without being renewed.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long the leader tries to renew before it gives up.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the lease is renewed, and looked at.
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// How long one call for the lease may take: half of the deadline, as in client-go, so that one that hangs is tried again.
pub const CALL: Duration = Duration::from_secs(5);
/// How long the last word of a leaving leader may take.
const LAST_WORD: Duration = Duration::from_secs(3);
/// Written by a leader that left in order; its value says which term it ended.
const LEFT_IN_ORDER: &str = "konnect-replay.dev/left-in-order";

/// How the leader before us left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// There was none, or it ended its work and said so: nothing of its can still be on the way.
    InOrder,
    /// It crashed, or lost the lease: a request of its may still be on the way.
    Unclean,
}

/// How we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Whatever may still be on its way stands in an object's status.
    Settled,
    /// A request of an object that is gone may still be on its way.
    Unsettled,
}

/// A place in the queue for the lease.
#[derive(Clone)]
pub struct Leadership {
    election: LeaderElection,
    leases: Api<Lease>,
    name: String,
    identity: String,
}

impl Leadership {
    /// Takes part in the election for the lease `name`; nothing is called yet. `identity` must be no other process's.
    pub fn new(client: &Client, namespace: &str, name: &str, identity: &str) -> Self {
        let election = LeaderElection::new(client.clone(), namespace, name, identity)
            .with_lease_duration(LEASE_DURATION)
            .with_renew_deadline(RENEW_DEADLINE)
            .with_retry_period(RETRY_PERIOD);
        let leases = Api::namespaced(client.clone(), namespace);
        Self { election, leases, name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Waits for the lease, then does `work` under it. `work` is dropped when the lease is lost, and the answer is `None`; when it
    /// ends by itself, that is written down if nothing is left to settle, the lease is released, and the next replica takes it at
    /// once.
    pub async fn lead(&self, work: impl AsyncFnOnce(Succession) -> Departure) -> Option<Departure> {
        let term = async {
            info!("leading");
            let departure = work(self.succession().await).await;
            match departure {
                Departure::Settled => self.leave_in_order().await,
                Departure::Unsettled => {
                    info!("a request of a deleted object may be on its way: the next leader rests first");
                }
            }
            departure
        };
        self.election.with_lease(term).await
    }

    /// How the one before us left. What cannot be read counts as unclean: the price is one settle time.
    async fn succession(&self) -> Succession {
        match tokio::time::timeout(LAST_WORD, self.leases.get(&self.name)).await {
            Ok(Ok(lease)) => succession(&lease),
            _ => Succession::Unclean,
        }
    }

    async fn leave_in_order(&self) {
        let word = tokio::time::timeout(LAST_WORD, self.write_left_in_order()).await;
        if !matches!(word, Ok(Ok(()))) {
            warn!("could not write down that this leader left in order; the next one waits a settle time");
        }
    }

    async fn write_left_in_order(&self) -> kube::Result<()> {
        // The renewal in the background may write in between, once; a second conflict means that the lease is not ours.
        for _ in 0..3 {
            let mut lease = self.leases.get(&self.name).await?;
            if !sign_off(&mut lease, &self.identity) {
                return Ok(());
            }
            match self.leases.replace(&self.name, &PostParams::default(), &lease).await {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                result => return result.map(|_| ()),
            }
        }
        Ok(())
    }
}

/// Terms are counted by the lease itself: it grows by one with each new holder.
fn term(lease: &Lease) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
}

/// Adds our word that this term ended in order, and says whether it did: for the term of another, who took the lease from us while
/// we ended, nothing can be vouched for.
fn sign_off(lease: &mut Lease, identity: &str) -> bool {
    let ours = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(identity);
    if ours {
        let word = (LEFT_IN_ORDER.to_owned(), term(lease).to_string());
        lease.metadata.annotations.get_or_insert_with(BTreeMap::new).extend([word]);
    }
    ours
}

/// Judged by a lease that we have just taken: the first term follows nobody, any other must follow one that ended in order.
fn succession(lease: &Lease) -> Succession {
    let word = lease.metadata.annotations.as_ref().and_then(|annotations| annotations.get(LEFT_IN_ORDER));
    let ended: Option<i32> = word.and_then(|word| word.parse().ok());
    match term(lease) {
        0 => Succession::InOrder,
        ours if ended == Some(ours - 1) => Succession::InOrder,
        _ => Succession::Unclean,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use kube::api::ObjectMeta;

    use super::*;

    fn lease(term: i32, word: Option<&str>) -> Lease {
        let annotations = word.map(|word| BTreeMap::from([(LEFT_IN_ORDER.to_owned(), word.to_owned())]));
        Lease {
            metadata: ObjectMeta { annotations, ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some("ours".to_owned()),
                lease_transitions: Some(term),
                ..LeaseSpec::default()
            }),
        }
    }

    #[test]
    fn only_a_term_that_says_so_ended_in_order() {
        for (term, word, expected) in [
            (0, None, Succession::InOrder),
            (1, None, Succession::Unclean),
            (1, Some("0"), Succession::InOrder),
            // The term before ours crashed; the one before that had left in order.
            (2, Some("0"), Succession::Unclean),
            (2, Some("junk"), Succession::Unclean),
        ] {
            assert_eq!(succession(&lease(term, word)), expected, "{term} {word:?}");
        }
    }

    #[test]
    fn a_leader_vouches_for_its_own_term_only() {
        let mut held = lease(3, None);
        assert!(sign_off(&mut held, "ours"));
        let mut taken = held.clone();
        taken.spec.as_mut().unwrap().lease_transitions = Some(4);
        assert_eq!(succession(&taken), Succession::InOrder);

        // We were stopped for a while, and end when another has led meanwhile.
        let before = lease(4, None);
        let mut of_another = before.clone();
        assert!(!sign_off(&mut of_another, "we-that-were-stopped"));
        assert_eq!(of_another, before);
    }
}
