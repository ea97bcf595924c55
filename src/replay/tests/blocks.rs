//! Somebody else's run that stays in the way: after ten minutes the lane looks at other portals too, one look at a time.

use std::time::Duration;

use super::fixtures::*;
use super::lanes::{EARLY, LATE, OTHER_PORTAL, candidate, of};
use crate::replay::{Candidate, Lanes, Policy, Serialize, TroubleWith, Turn, WaitCause};

const NOW: Duration = Duration::from_secs(1000);
const THIRD_PORTAL: &str = "33333333-0000-4000-8000-000000000000";

fn after(minutes: u64) -> Duration {
    NOW + Duration::from_mins(minutes)
}

/// A look of the one whose turn it is, which finds somebody else's run in its way.
fn looks_in_vain(lanes: &mut Lanes, who: &Candidate, now: Duration) {
    assert_eq!(lanes.take(who, now), Turn::Ours, "{}", who.id.name);
    lanes.blocked(&who.id, now);
}

/// `first`, blocked for ten minutes, and others behind it.
fn blocked_for_long(first: &Candidate, others: &[&Candidate]) -> Lanes {
    let mut lanes = Lanes::default();
    looks_in_vain(&mut lanes, first, NOW);
    for other in others {
        assert_ne!(lanes.take(other, NOW), Turn::Ours);
    }
    assert_eq!(lanes.give_way(&first.id, after(9)), None, "too early");
    lanes
}

#[test]
fn after_ten_minutes_the_next_portal_is_looked_at_and_one_look_follows_another() {
    let first = candidate("audit/first", EARLY, "s", PORTAL);
    let same_portal = candidate("audit/same-portal", EARLY, "s", PORTAL);
    let (second, third) =
        (candidate("audit/second", LATE, "s", OTHER_PORTAL), candidate("audit/third", LATE, "s", THIRD_PORTAL));
    let mut lanes = blocked_for_long(&first, &[&same_portal, &second, &third]);

    assert_eq!(lanes.give_way(&first.id, after(10)).as_ref(), Some(&second.id), "not another look at the same portal");
    assert_eq!(lanes.take(&first, after(10)), Turn::Aside);
    looks_in_vain(&mut lanes, &second, after(10));
    assert_eq!(
        lanes.give_way(&second.id, after(11)).as_ref(),
        Some(&third.id),
        "a look each, and not ten minutes each"
    );
    looks_in_vain(&mut lanes, &third, after(11));
    assert_eq!(lanes.give_way(&third.id, after(12)).as_ref(), Some(&first.id), "the longest aside first");
    looks_in_vain(&mut lanes, &first, after(12));
    assert_eq!(lanes.give_way(&first.id, after(13)).as_ref(), Some(&second.id));
    assert_ne!(lanes.take(&same_portal, after(13)), Turn::Ours);
}

#[test]
fn one_that_can_go_goes_and_then_the_earliest_expiry_is_first_again() {
    let (first, second) =
        (candidate("audit/first", EARLY, "s", PORTAL), candidate("audit/second", LATE, "s", OTHER_PORTAL));
    let mut lanes = blocked_for_long(&first, &[&second]);
    lanes.give_way(&first.id, after(10));
    assert_eq!(lanes.take(&second, after(10)), Turn::Ours);
    lanes.going(&second.id);
    assert_eq!(
        lanes.take(&first, after(11)),
        Turn::Behind { blocked_by: "second".to_owned() },
        "it says what it waits for"
    );
    assert_eq!(lanes.give_way(&second.id, after(30)), None, "nothing is in the way of the lane");
    assert_eq!(lanes.leave(&second.id, after(31)), std::slice::from_ref(&first.id));
    looks_in_vain(&mut lanes, &first, after(31));
    lanes.take(&second, after(31));
    assert_eq!(lanes.give_way(&first.id, after(40)), None, "patience begins anew");
}

#[test]
fn a_conflict_on_a_free_portal_means_the_region_and_patience_begins_anew() {
    let (first, second) =
        (candidate("audit/first", EARLY, "s", PORTAL), candidate("audit/second", LATE, "s", OTHER_PORTAL));
    let mut lanes = blocked_for_long(&first, &[&second]);
    lanes.give_way(&first.id, after(10));
    assert_eq!(lanes.take(&second, after(10)), Turn::Ours);
    assert_eq!(lanes.refused(&second.id, after(10)), std::slice::from_ref(&first.id));
    looks_in_vain(&mut lanes, &first, after(11));
    assert_ne!(lanes.take(&second, after(11)), Turn::Ours);
    assert_eq!(lanes.give_way(&first.id, after(19)), None);
    assert_eq!(lanes.give_way(&first.id, after(20)).as_ref(), Some(&second.id));
}

#[test]
fn one_that_is_refused_with_nobody_aside_keeps_its_turn() {
    let (first, second) =
        (candidate("audit/first", EARLY, "s", PORTAL), candidate("audit/second", LATE, "s", OTHER_PORTAL));
    let mut lanes = Lanes::default();
    assert_eq!(lanes.take(&first, NOW), Turn::Ours);
    assert_eq!(lanes.refused(&first.id, NOW), []);
    assert_ne!(lanes.take(&second, NOW), Turn::Ours);
    assert_eq!(lanes.take(&first, after(1)), Turn::Ours);
}

#[test]
fn nobody_gives_way_to_nobody() {
    let (first, same) = (candidate("audit/first", EARLY, "s", PORTAL), candidate("audit/same", LATE, "s", PORTAL));
    let mut lanes = blocked_for_long(&first, &[&same]);
    assert_eq!(lanes.give_way(&first.id, after(60)), None, "the other is of the same portal");
    assert_eq!(lanes.give_way(&same.id, after(60)), None, "nor has it anything to give");
    lanes.leave(&first.id, after(60));
    assert_eq!(lanes.take(&same, after(61)), Turn::Ours);
    assert_eq!(lanes.give_way(&same.id, after(61)), None);
}

#[test]
fn with_lanes_by_portal_a_conflict_holds_back_the_region_until_the_next_look() {
    let policy = Policy { serialize: Serialize::Portal, ..policy() };
    let (one, two) = (of("audit/one", EARLY, "s", PORTAL, &policy), of("audit/two", LATE, "s", OTHER_PORTAL, &policy));
    let elsewhere = of("audit/elsewhere", LATE, "another", THIRD_PORTAL, &policy);
    let mut lanes = Lanes::default();
    assert_eq!(lanes.take(&one, NOW), Turn::Ours);
    let busy = TroubleWith::of(&one, WaitCause::Conflict).unwrap();
    lanes.in_trouble(&busy, &one, after(1));
    assert!(matches!(lanes.take(&two, NOW), Turn::PassedOver { with: TroubleWith::Busy(..), .. }));
    assert_eq!(lanes.take(&elsewhere, NOW), Turn::Ours, "another Secret may be another organisation's");
    assert_eq!(lanes.mended(&busy, after(1)), std::slice::from_ref(&two.id));
    assert_eq!(lanes.take(&two, after(1)), Turn::Ours);
}

#[test]
fn a_quiet_run_keeps_its_target_and_others_of_the_lane_go() {
    let (quiet, same) = (candidate("audit/quiet", EARLY, "s", PORTAL), candidate("audit/same", EARLY, "s", PORTAL));
    let next = candidate("audit/next", LATE, "s", OTHER_PORTAL);
    let mut lanes = Lanes::default();
    lanes.hold(&quiet);
    assert_ne!(lanes.take(&same, NOW), Turn::Ours);
    assert_ne!(lanes.take(&next, NOW), Turn::Ours);
    assert_eq!(lanes.hold_target(&quiet, NOW), std::slice::from_ref(&next.id), "the first of another target");
    assert_eq!(lanes.hold_target(&quiet, NOW), [], "once");
    assert_ne!(lanes.take(&same, NOW), Turn::Ours);
    assert_eq!(lanes.take(&next, NOW), Turn::Ours);
    assert_eq!(
        lanes.take(&quiet, NOW),
        Turn::Behind { blocked_by: "next".to_owned() },
        "to be sent again it needs the lane"
    );
    assert_ne!(lanes.take(&same, NOW), Turn::Ours, "which keeps its target");
    assert_eq!(lanes.leave(&next.id, NOW), std::slice::from_ref(&quiet.id));
    assert_eq!(lanes.take(&quiet, NOW), Turn::Ours);
    assert_eq!(lanes.leave(&quiet.id, NOW), std::slice::from_ref(&same.id));
}
