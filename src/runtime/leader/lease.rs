//! What stands in a lease, and what is written there: nothing here calls anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::{Departure, Succession};

/// How long a lease holds without being renewed.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// The same as it stands in a lease.
const LEASE_SECONDS: i32 = 15;
/// Written by a leader that left in order; its value says which term it ended.
const LEFT_IN_ORDER: &str = "konnect-replay.dev/left-in-order";

/// The holder of a lease. A lease that was given back has no holder, or an empty name (client-go's way).
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|name| !name.is_empty())
}

/// Terms are counted by the lease itself: it grows by one with each new holder.
fn term(lease: &Lease) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
}

/// The first lease of this name.
pub(super) fn first(name: &str, identity: &str, now: MicroTime) -> Lease {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(spec(identity, 0, now.clone(), now)) }
}

/// The lease with `identity` as its holder: renewed if it was that before, taken if not.
pub(super) fn held(lease: &Lease, identity: &str, now: MicroTime) -> Lease {
    let since = lease.spec.as_ref().and_then(|spec| spec.acquire_time.clone());
    let spec = if holder(lease) == Some(identity) {
        spec(identity, term(lease), since.unwrap_or_else(|| now.clone()), now)
    } else {
        spec(identity, term(lease).saturating_add(1), now.clone(), now)
    };
    Lease { metadata: lease.metadata.clone(), spec: Some(spec) }
}

/// The lease given back, with a message on how its term ended.
pub(super) fn given_back(lease: &Lease, departure: Departure) -> Lease {
    let mut metadata = lease.metadata.clone();
    if departure == Departure::Settled {
        let word = (LEFT_IN_ORDER.to_owned(), term(lease).to_string());
        metadata.annotations.get_or_insert_with(BTreeMap::new).extend([word]);
    }
    Lease { metadata, spec: Some(LeaseSpec { lease_transitions: Some(term(lease)), ..LeaseSpec::default() }) }
}

fn spec(identity: &str, term: i32, since: MicroTime, now: MicroTime) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        lease_transitions: Some(term),
        acquire_time: Some(since),
        renew_time: Some(now),
        ..LeaseSpec::default()
    }
}

/// Judged by a lease that this process has just taken: it says nothing about the time before the first term, and any other term must
/// follow a term that ended in order.
pub(super) fn succession(lease: &Lease) -> Succession {
    let word = lease.metadata.annotations.as_ref().and_then(|annotations| annotations.get(LEFT_IN_ORDER));
    let ended: Option<i32> = word.and_then(|word| word.parse().ok());
    match term(lease) {
        0 => Succession::Unknown,
        ours if ended == Some(ours - 1) => Succession::InOrder,
        _ => Succession::Unclean,
    }
}

/// When the lease of another was last seen to change, by our own clock: no two clocks are compared.
#[derive(Debug, Default)]
pub(super) struct Observed(Option<(LeaseSpec, Instant)>);

impl Observed {
    /// Until when the lease, seen `now`, holds if it is not renewed.
    pub(super) fn holds_until(&mut self, lease: &Lease, now: Instant) -> Instant {
        let seen = lease.spec.clone().unwrap_or_default();
        let since = match &self.0 {
            Some((before, since)) if *before == seen => *since,
            _ => self.0.insert((seen, now)).1,
        };
        since + LEASE_DURATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> MicroTime {
        MicroTime(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn of_term(term: i32, word: Option<&str>) -> Lease {
        let mut lease = first("lease", "ours", at(1));
        lease.spec.as_mut().unwrap().lease_transitions = Some(term);
        lease.metadata.annotations = word.map(|word| BTreeMap::from([(LEFT_IN_ORDER.to_owned(), word.to_owned())]));
        lease
    }

    #[test]
    fn only_a_term_that_says_so_ended_in_order() {
        for (term, word, expected) in [
            (0, None, Succession::Unknown),
            (1, None, Succession::Unclean),
            (1, Some("0"), Succession::InOrder),
            // The term before ours crashed; the one before that had left in order.
            (2, Some("0"), Succession::Unclean),
            (2, Some("junk"), Succession::Unclean),
        ] {
            assert_eq!(succession(&of_term(term, word)), expected, "{term} {word:?}");
        }
    }

    #[test]
    fn a_leader_vouches_for_its_own_term_only_and_only_when_all_is_settled() {
        let ours = of_term(3, Some("1"));
        for (departure, expected) in
            [(Departure::Settled, Succession::InOrder), (Departure::Unsettled, Succession::Unclean)]
        {
            let left = given_back(&ours, departure);
            assert_eq!(holder(&left), None);
            assert_eq!(succession(&held(&left, "next", at(9))), expected, "{departure:?}");
        }
    }

    #[test]
    fn a_renewal_keeps_the_term_and_its_beginning_and_a_takeover_begins_another() {
        let taken = held(&of_term(3, None), "next", at(5));
        let spec = taken.spec.clone().unwrap();
        assert_eq!((spec.lease_transitions, spec.acquire_time, spec.renew_time), (Some(4), Some(at(5)), Some(at(5))));
        let spec = held(&taken, "next", at(7)).spec.unwrap();
        assert_eq!((spec.lease_transitions, spec.acquire_time, spec.renew_time), (Some(4), Some(at(5)), Some(at(7))));
        assert_eq!(spec.lease_duration_seconds.map(i64::from), i64::try_from(LEASE_DURATION.as_secs()).ok());
    }

    #[test]
    fn an_empty_name_holds_nothing() {
        let mut lease = of_term(3, None);
        lease.spec.as_mut().unwrap().holder_identity = Some(String::new());
        assert_eq!(holder(&lease), None);
    }

    #[test]
    fn a_lease_holds_from_when_its_last_change_was_seen() {
        let (mut observed, begin) = (Observed::default(), Instant::now());
        let second = Duration::from_secs(1);
        let before = of_term(3, None);
        assert_eq!(observed.holds_until(&before, begin), begin + LEASE_DURATION);
        assert_eq!(observed.holds_until(&before, begin + 9 * second), begin + LEASE_DURATION);
        let renewed = held(&before, "ours", at(2));
        assert_eq!(observed.holds_until(&renewed, begin + 10 * second), begin + 10 * second + LEASE_DURATION);
    }
}
