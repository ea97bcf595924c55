//! One run at a time per lane, one submission at a time per target, the earliest expiry first.

use std::time::Duration;

use super::fixtures::*;
use crate::replay::{Candidate, Lanes, ObjectId, Policy, Serialize, Turn};

/// A candidate `namespace/name` whose window starts at `start`, with a Secret and a portal of its own choice.
pub(super) fn candidate(id: &str, start: &str, secret: &str, portal: &str) -> Candidate {
    of(id, start, secret, portal, &policy())
}

pub(super) fn of(id: &str, start: &str, secret: &str, portal: &str, policy: &Policy) -> Candidate {
    let (namespace, name) = id.split_once('/').unwrap();
    let mut job = job().window(start, "2026-11-20T12:00:00Z").for_portal(Some(portal)).build();
    job.metadata.namespace = Some(namespace.to_owned());
    job.metadata.name = Some(name.to_owned());
    job.metadata.uid = Some(format!("uid-of-{name}"));
    job.spec.token_secret_ref.name = secret.to_owned();
    Candidate::of(&job, policy).unwrap()
}

/// The clock of this process; nothing here depends on it but trouble.
const NOW: Duration = Duration::from_secs(1000);
pub(super) const EARLY: &str = "2026-11-20T06:00:00Z";
pub(super) const LATE: &str = "2026-11-20T09:00:00Z";
pub(super) const OTHER_PORTAL: &str = "00000000-0000-4000-8000-000000000001";

fn behind(name: &str) -> Turn {
    Turn::Behind { blocked_by: name.to_owned() }
}

#[test]
fn one_goes_and_the_next_is_woken_when_it_leaves() {
    let mut lanes = Lanes::default();
    let (a, b) = (candidate("audit/a", LATE, "s", PORTAL), candidate("audit/b", EARLY, "s", OTHER_PORTAL));
    assert_eq!(lanes.take(&a, NOW), Turn::Ours);
    assert_eq!(lanes.take(&a, NOW), Turn::Ours, "asked again");
    assert_eq!(lanes.take(&b, NOW), behind("a"));
    assert_eq!(lanes.leave(&a.id, NOW), std::slice::from_ref(&b.id));
    assert_eq!(lanes.take(&b, NOW), Turn::Ours);
    assert_eq!(lanes.leave(&b.id, NOW), []);
}

#[test]
fn the_earliest_expiry_goes_first_whoever_asks_first() {
    let mut lanes = Lanes::default();
    let holder = candidate("audit/holder", LATE, "s", PORTAL);
    let (late, early) = (candidate("audit/late", LATE, "s", PORTAL), candidate("audit/early", EARLY, "s", PORTAL));
    lanes.take(&holder, NOW);
    lanes.take(&late, NOW);
    lanes.take(&early, NOW);
    assert_eq!(lanes.leave(&holder.id, NOW), std::slice::from_ref(&early.id));
    assert_eq!(lanes.take(&late, NOW), Turn::Later, "only the next says behind whom");
    assert_eq!(lanes.take(&early, NOW), Turn::Ours);
}

#[test]
fn a_target_is_never_shared_whatever_the_secrets_and_nobody_elses_object_is_named() {
    let mut lanes = Lanes::default();
    let ours = candidate("audit/a", EARLY, "s", PORTAL);
    let theirs = candidate("finance/b", EARLY, "other", PORTAL);
    assert_eq!(lanes.take(&ours, NOW), Turn::Ours);
    assert_eq!(lanes.take(&theirs, NOW), behind("other"));
    assert_eq!(lanes.leave(&ours.id, NOW), std::slice::from_ref(&theirs.id));
}

#[test]
fn lanes_do_not_block_each_other_and_nor_does_one_whose_target_is_held() {
    let mut lanes = Lanes::default();
    let elsewhere = candidate("finance/a", EARLY, "other", PORTAL);
    let stuck = candidate("audit/stuck", EARLY, "s", PORTAL);
    let free = candidate("audit/free", LATE, "s", OTHER_PORTAL);
    assert_eq!(lanes.take(&elsewhere, NOW), Turn::Ours);
    assert_eq!(lanes.take(&stuck, NOW), behind("other"));
    assert_eq!(lanes.take(&free, NOW), Turn::Ours, "passes the one that cannot go");
}

#[test]
fn with_serialize_portal_the_portals_of_a_region_run_side_by_side() {
    let policy = Policy { serialize: Serialize::Portal, ..policy() };
    let mut lanes = Lanes::default();
    assert_eq!(lanes.take(&of("audit/a", EARLY, "s", PORTAL, &policy), NOW), Turn::Ours);
    assert_eq!(lanes.take(&of("audit/b", EARLY, "s", OTHER_PORTAL, &policy), NOW), Turn::Ours);
    assert_eq!(lanes.take(&of("audit/c", EARLY, "s", PORTAL, &policy), NOW), behind("a"));
}

#[test]
fn what_is_under_way_at_start_holds_its_place_and_the_blocker_is_told_steadily() {
    let mut lanes = Lanes::default();
    for n in 0..20 {
        lanes.hold(&candidate(&format!("audit/run-{n:02}"), LATE, "s", PORTAL));
    }
    let waiting = candidate("audit/waiting", EARLY, "s", PORTAL);
    for n in 20..60 {
        assert_eq!(lanes.take(&waiting, NOW), behind("run-00"), "the same name each time");
        lanes.hold(&candidate(&format!("audit/run-{n:02}"), LATE, "s", PORTAL));
    }
}

#[test]
fn a_re_created_object_is_another_one_and_both_are_found_by_name() {
    let mut lanes = Lanes::default();
    let first = candidate("audit/a", EARLY, "s", PORTAL);
    let mut second = first.clone();
    second.id = ObjectId { uid: "another".to_owned(), ..first.id.clone() };
    assert_eq!(lanes.take(&first, NOW), Turn::Ours);
    assert_eq!(lanes.take(&second, NOW), behind("a"));
    let mut known = lanes.named("audit", "a");
    known.sort();
    assert_eq!(known, [second.id, first.id]);
    assert!(lanes.named("finance", "a").is_empty());
}

#[test]
fn one_of_each_lane_is_looked_at_and_it_is_the_one_that_may_go() {
    let mut lanes = Lanes::default();
    assert!(lanes.firsts(NOW).is_empty());
    let first = candidate("audit/first", EARLY, "s", PORTAL);
    let (second, third) =
        (candidate("audit/second", LATE, "s", OTHER_PORTAL), candidate("audit/third", LATE, "s", PORTAL));
    let elsewhere = candidate("audit/elsewhere", LATE, "another", PORTAL);
    lanes.take(&first, NOW);
    assert!(lanes.firsts(NOW).is_empty(), "a holder has timers of its own");
    for who in [&second, &third, &elsewhere] {
        lanes.take(who, NOW);
    }
    let mut firsts = lanes.firsts(NOW);
    firsts.sort();
    assert_eq!(
        firsts,
        [elsewhere.id.clone(), second.id.clone()],
        "the next of a lane that is taken, and of one whose target is"
    );
    // Its wake-up is lost.
    lanes.leave(&first.id, NOW);
    lanes.hold_target(&second, NOW);
    assert!(lanes.firsts(NOW).contains(&third.id), "the first that waits and may go");
}
