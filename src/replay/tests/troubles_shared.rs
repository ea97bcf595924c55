//! Trouble that many jobs share is looked into by one of them; the others are passed over, and lanes go on.

use std::time::Duration;

use proptest::prelude::*;

use super::fixtures::*;
use super::lanes::{EARLY, LATE, OTHER_PORTAL, candidate};
use crate::replay::{Candidate, Lanes, TroubleWith, Turn, WaitCause};

const NOW: Duration = Duration::from_secs(1000);
const LATER: Duration = Duration::from_secs(1060);
/// After the prober's own time is over too.
const MUCH_LATER: Duration = Duration::from_hours(1);

fn in_trouble(lanes: &mut Lanes, who: &Candidate, cause: WaitCause) -> TroubleWith {
    let with = TroubleWith::of(who, cause).unwrap();
    lanes.leave(&who.id, NOW);
    lanes.in_trouble(with.clone(), &who.id, LATER);
    with
}

fn passed_over(turn: Turn) -> (String, TroubleWith) {
    match turn {
        Turn::PassedOver { blocked_by, with } => (blocked_by, with),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_bad_secret_is_looked_into_by_one_and_another_secret_goes_on() {
    let mut lanes = Lanes::default();
    let (first, second) =
        (candidate("audit/first", EARLY, "bad", PORTAL), candidate("audit/second", LATE, "bad", OTHER_PORTAL));
    let other = candidate("audit/other", LATE, "good", OTHER_PORTAL);
    assert_eq!(lanes.take(&first, NOW), Turn::Ours);
    let with = in_trouble(&mut lanes, &first, WaitCause::Credentials);

    assert_eq!(passed_over(lanes.take(&second, NOW)), ("first".to_owned(), with.clone()));
    assert_eq!(lanes.take(&other, NOW), Turn::Ours);
    assert_eq!(lanes.take(&first, LATER), Turn::Ours, "the one that looks into it is not in its own way");
    lanes.leave(&first.id, LATER);
    assert_eq!(lanes.mended(&with, LATER), [], "the only one left waits for a target that is held");
    lanes.leave(&other.id, LATER);
    assert_eq!(lanes.take(&second, LATER), Turn::Ours);
}

#[test]
fn a_target_without_a_webhook_does_not_hold_up_the_rest_of_its_lane() {
    let mut lanes = Lanes::default();
    let (off, same) = (candidate("audit/off", EARLY, "s", PORTAL), candidate("audit/same", EARLY, "s", PORTAL));
    let next = candidate("audit/next", LATE, "s", OTHER_PORTAL);
    assert_eq!(lanes.take(&off, NOW), Turn::Ours);
    in_trouble(&mut lanes, &off, WaitCause::Webhook);
    assert_eq!(passed_over(lanes.take(&same, NOW)).0, "off");
    assert_eq!(lanes.take(&next, NOW), Turn::Ours);
}

#[test]
fn a_region_that_does_not_answer_is_asked_by_one_lane_only() {
    let mut lanes = Lanes::default();
    let (one, two) = (candidate("audit/one", EARLY, "a", PORTAL), candidate("audit/two", EARLY, "b", OTHER_PORTAL));
    assert_eq!(lanes.take(&one, NOW), Turn::Ours);
    lanes.in_trouble(TroubleWith::of(&one, WaitCause::Konnect).unwrap(), &one.id, LATER);
    assert_eq!(passed_over(lanes.take(&two, NOW)).0, "one");
    assert_eq!(lanes.take(&one, NOW), Turn::Ours, "keeps its place");
}

#[test]
fn mended_trouble_wakes_the_head_of_each_lane() {
    let mut lanes = Lanes::default();
    let prober = candidate("audit/prober", EARLY, "s", PORTAL);
    lanes.take(&prober, NOW);
    let with = in_trouble(&mut lanes, &prober, WaitCause::Konnect);
    let (a, b) = (candidate("audit/a", LATE, "s", PORTAL), candidate("audit/b", EARLY, "t", OTHER_PORTAL));
    lanes.take(&a, NOW);
    lanes.take(&b, NOW);
    let mut woken = lanes.mended(&with, LATER);
    woken.sort();
    assert_eq!(woken, [a.id, b.id]);
    assert_eq!(lanes.mended(&with, LATER), [], "once");
}

#[test]
fn when_the_one_that_looks_is_gone_the_next_looks() {
    let mut lanes = Lanes::default();
    let (first, second) =
        (candidate("audit/first", EARLY, "bad", PORTAL), candidate("audit/second", LATE, "bad", PORTAL));
    let third = candidate("audit/third", LATE, "bad", OTHER_PORTAL);
    lanes.take(&first, NOW);
    in_trouble(&mut lanes, &first, WaitCause::Credentials);
    lanes.take(&second, NOW);
    lanes.gone(&first.id, NOW);
    assert_eq!(lanes.take(&second, NOW), Turn::Ours);
    lanes.leave(&second.id, NOW);
    assert_eq!(passed_over(lanes.take(&third, NOW)).0, "second", "which looks into it now");
}

#[test]
fn one_that_never_comes_back_is_not_waited_for_without_end() {
    let mut lanes = Lanes::default();
    let (first, second) =
        (candidate("audit/first", EARLY, "bad", PORTAL), candidate("audit/second", LATE, "bad", PORTAL));
    lanes.take(&first, NOW);
    in_trouble(&mut lanes, &first, WaitCause::Credentials);
    passed_over(lanes.take(&second, NOW));
    assert_eq!(lanes.take(&second, MUCH_LATER), Turn::Ours);
}

#[test]
fn every_cause_has_been_thought_about() {
    let who = candidate("audit/a", EARLY, "s", PORTAL);
    let kind = |cause| match TroubleWith::of(&who, cause) {
        None => "none",
        Some(TroubleWith::Secret(_)) => "secret",
        Some(TroubleWith::Target(_)) => "target",
        Some(TroubleWith::Region(_)) => "region",
        Some(TroubleWith::Busy(..)) => "busy",
    };
    for (cause, expected) in [
        (WaitCause::Credentials, "secret"),
        (WaitCause::Webhook, "target"),
        (WaitCause::Portal, "target"),
        (WaitCause::Konnect, "region"),
        (WaitCause::RateLimit, "region"),
        (WaitCause::RemoteJob, "none"),
        (WaitCause::Conflict, "none"),
        (WaitCause::Poll, "none"),
        (WaitCause::Turn, "none"),
    ] {
        assert_eq!(kind(cause), expected, "{cause:?}");
    }
}

/// What can happen to the lanes.
#[derive(Clone, Debug)]
enum Event {
    Take(usize),
    Leave(usize),
    Trouble(usize, WaitCause),
    Mended(usize, WaitCause),
    Gone(usize),
    Blocked(usize),
    Refused(usize),
    Going(usize),
    GiveWay(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let cause = prop_oneof![Just(WaitCause::Credentials), Just(WaitCause::Webhook), Just(WaitCause::Konnect)];
    prop_oneof![
        4 => (0..12_usize).prop_map(Event::Take),
        3 => (0..12_usize).prop_map(Event::Leave),
        1 => (0..12_usize, cause.clone()).prop_map(|(n, cause)| Event::Trouble(n, cause)),
        1 => (0..12_usize, cause).prop_map(|(n, cause)| Event::Mended(n, cause)),
        1 => (0..12_usize).prop_map(Event::Gone),
        3 => (0..12_usize).prop_map(Event::Blocked),
        1 => (0..12_usize).prop_map(Event::Refused),
        1 => (0..12_usize).prop_map(Event::Going),
        3 => (0..12_usize).prop_map(Event::GiveWay),
    ]
}

/// Twelve candidates over three Secrets, two portals and two ages.
fn everybody() -> Vec<Candidate> {
    let one = |n: usize| {
        let (start, portal) =
            (if n.is_multiple_of(2) { EARLY } else { LATE }, if n % 4 < 2 { PORTAL } else { OTHER_PORTAL });
        candidate(&format!("audit/job-{n:02}"), start, ["a", "b", "c"][n % 3], portal)
    };
    (0..12).map(one).collect()
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_held_twice_and_nobody_waits_for_ever(events in prop::collection::vec(event(), 0..80)) {
        let everybody = everybody();
        let (mut lanes, mut now) = (Lanes::default(), NOW);
        for event in events {
            now += Duration::from_mins(1);
            match event {
                Event::Take(n) => {
                    let turn = lanes.take(&everybody[n], now);
                    prop_assert_eq!(turn == Turn::Ours, lanes.holds_lane(&everybody[n].id));
                }
                Event::Leave(n) => { lanes.leave(&everybody[n].id, now); }
                Event::Gone(n) => { lanes.gone(&everybody[n].id, now); }
                Event::Blocked(n) => lanes.blocked(&everybody[n].id, now),
                Event::Refused(n) => { lanes.refused(&everybody[n].id, now); }
                Event::Going(n) => lanes.going(&everybody[n].id),
                Event::GiveWay(n) => { lanes.give_way(&everybody[n].id, now); }
                Event::Trouble(n, cause) => {
                    lanes.in_trouble(TroubleWith::of(&everybody[n], cause).unwrap(), &everybody[n].id, now + Duration::from_mins(1));
                }
                Event::Mended(n, cause) => { lanes.mended(&TroubleWith::of(&everybody[n], cause).unwrap(), now); }
            }
            for (i, a) in everybody.iter().enumerate() {
                prop_assert!(!lanes.holds_lane(&a.id) || lanes.holds(&a.id), "who holds the lane holds the target");
                for b in &everybody[i + 1..] {
                    prop_assert!(!(lanes.holds_lane(&a.id) && lanes.holds_lane(&b.id) && a.lane == b.lane));
                    prop_assert!(!(lanes.holds(&a.id) && lanes.holds(&b.id) && a.target == b.target));
                }
            }
        }
        // When all who hold have left and time has passed, asking round after round lets everybody go once.
        for who in everybody.iter().filter(|who| lanes.holds_lane(&who.id)).collect::<Vec<_>>() {
            lanes.leave(&who.id, now);
        }
        now += MUCH_LATER;
        let mut waiting: Vec<&Candidate> = everybody.iter().collect();
        for _ in 0..everybody.len() * 2 {
            waiting.retain(|who| {
                let went = lanes.take(who, now) == Turn::Ours;
                if went { lanes.gone(&who.id, now); }
                !went
            });
        }
        prop_assert!(waiting.is_empty(), "{waiting:?}");
    }
}
