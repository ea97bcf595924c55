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
    lanes.in_trouble(&with, who, LATER);
    with
}

fn passed_over(turn: Turn) -> (String, TroubleWith) {
    match turn {
        Turn::PassedOver { blocked_by, with, look_in: None } => (blocked_by, with),
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
    assert_eq!(lanes.mended(&with, LATER), std::slice::from_ref(&second.id), "whose message speaks of it");
    assert!(matches!(lanes.take(&second, LATER), Turn::Behind { .. }), "its target is held");
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
fn a_region_that_does_not_answer_is_asked_by_one_job_only() {
    let mut lanes = Lanes::default();
    let (one, two) = (candidate("audit/one", EARLY, "a", PORTAL), candidate("audit/two", EARLY, "b", OTHER_PORTAL));
    assert_eq!(lanes.take(&one, NOW), Turn::Ours);
    lanes.in_trouble(&TroubleWith::of(&one, WaitCause::Konnect).unwrap(), &one, LATER);
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
fn one_that_has_its_turn_is_passed_over_as_well() {
    let (down, held) = (candidate("audit/down", EARLY, "a", PORTAL), candidate("audit/held", EARLY, "b", OTHER_PORTAL));
    let mut lanes = Lanes::default();
    assert_eq!((lanes.take(&down, NOW), lanes.take(&held, NOW)), (Turn::Ours, Turn::Ours));
    assert_eq!(lanes.pass_over(&held, NOW), [], "there is no trouble");
    assert_eq!(lanes.take(&held, NOW), Turn::Ours);
    let with = TroubleWith::of(&down, WaitCause::Konnect).unwrap();
    assert_eq!(lanes.in_trouble(&with, &down, LATER), None, "nobody else waits");
    assert_eq!(lanes.pass_over(&held, NOW), [], "nobody else of its lane could go");
    assert_eq!(passed_over(lanes.take(&held, NOW)), ("down".to_owned(), with.clone()));
    assert_eq!(lanes.pass_over(&down, NOW), [], "who looks into it goes on looking");
    assert_eq!(lanes.take(&down, NOW), Turn::Ours);
    assert_eq!(lanes.mended(&with, LATER), [held.id]);
}

#[test]
fn the_targets_of_a_region_take_turns_at_looking_and_the_first_that_works_ends_it_for_all() {
    let portal = |n: u32| format!("00000000-0000-4000-8000-{n:012}");
    let one = candidate("audit/one", EARLY, "a", &portal(1));
    let same = candidate("audit/same", LATE, "b", &portal(1));
    let (two, late) = (candidate("audit/two", EARLY, "b", &portal(2)), candidate("audit/late", LATE, "b", &portal(2)));
    let three = candidate("audit/three", LATE, "a", &portal(3));
    let mut lanes = Lanes::default();
    assert_eq!(lanes.take(&one, NOW), Turn::Ours);
    for other in [&same, &late, &two, &three] {
        lanes.wait(other);
    }
    let with = TroubleWith::of(&one, WaitCause::Konnect).unwrap();
    let after = |minutes| NOW + Duration::from_mins(minutes);
    lanes.back_to_the_queue(&one, NOW);

    assert_eq!(lanes.in_trouble(&with, &one, after(1)).as_ref(), Some(&two.id), "the earliest of the next target");
    let look_in = Some(Duration::from_mins(1));
    let in_the_way = Turn::PassedOver { blocked_by: "one".to_owned(), with: with.clone(), look_in };
    assert_eq!(lanes.take(&two, NOW), in_the_way, "not sooner than the one before it would have looked");
    assert_eq!(passed_over(lanes.take(&one, after(1))).0, "one", "whose own message speaks of it");
    assert_eq!(lanes.take(&late, after(1)), Turn::Later, "only the first of a lane speaks of it");
    assert_eq!(lanes.take(&two, after(1)), Turn::Ours);
    lanes.back_to_the_queue(&two, after(1));
    assert_eq!(lanes.in_trouble(&with, &two, after(2)).as_ref(), Some(&three.id));
    assert_eq!(lanes.in_trouble(&with, &one, after(2)), None, "it is the turn of another");
    assert_eq!(lanes.take(&three, after(2)), Turn::Ours);
    lanes.back_to_the_queue(&three, after(2));
    assert_eq!(lanes.in_trouble(&with, &three, after(3)).as_ref(), Some(&one.id), "round and round");
    assert_eq!(lanes.take(&one, after(3)), Turn::Ours);
    let mut woken = lanes.mended(&with, after(3));
    woken.sort();
    assert_eq!(woken, [three.id, two.id], "each whose message speaks of it, besides the one that goes on at once");
}

#[test]
fn two_that_look_into_trouble_of_two_kinds_do_not_wait_for_each_other() {
    let mut lanes = Lanes::default();
    let (one, two) = (candidate("audit/one", EARLY, "s", PORTAL), candidate("audit/two", LATE, "s", OTHER_PORTAL));
    lanes.take(&one, NOW);
    in_trouble(&mut lanes, &one, WaitCause::Credentials);
    lanes.in_trouble(&TroubleWith::of(&two, WaitCause::Konnect).unwrap(), &two, LATER);
    assert_eq!(lanes.take(&one, NOW), Turn::Ours);
    lanes.leave(&one.id, NOW);
    assert_eq!(lanes.take(&two, NOW), Turn::Ours);
}

#[test]
fn a_token_that_may_not_do_it_at_one_target_may_at_another() {
    let mut lanes = Lanes::default();
    let (first, same) = (candidate("audit/first", EARLY, "s", PORTAL), candidate("audit/same", LATE, "s", PORTAL));
    let other = candidate("audit/other", LATE, "s", OTHER_PORTAL);
    lanes.take(&first, NOW);
    let with = in_trouble(&mut lanes, &first, WaitCause::Permission);
    assert_eq!(passed_over(lanes.take(&same, NOW)), ("first".to_owned(), with));
    assert_eq!(lanes.take(&other, NOW), Turn::Ours);
}

#[test]
fn all_that_speak_of_a_secret_are_woken_when_it_is_mended() {
    let mut lanes = Lanes::default();
    let jobs: Vec<_> = (0..4).map(|n| candidate(&format!("audit/job-{n}"), EARLY, "bad", PORTAL)).collect();
    lanes.take(&jobs[0], NOW);
    let with = in_trouble(&mut lanes, &jobs[0], WaitCause::Credentials);
    for job in &jobs[1..] {
        passed_over(lanes.take(job, NOW));
    }
    let woken: Vec<_> = lanes.mended(&with, NOW);
    assert_eq!(woken, [jobs[1].id.clone(), jobs[2].id.clone(), jobs[3].id.clone()], "the next first");
}

#[test]
fn every_cause_has_been_thought_about() {
    let who = candidate("audit/a", EARLY, "s", PORTAL);
    let kind = |cause| match TroubleWith::of(&who, cause) {
        None => "none",
        Some(TroubleWith::Secret(_)) => "secret",
        Some(TroubleWith::Access(..)) => "access",
        Some(TroubleWith::Target(_)) => "target",
        Some(TroubleWith::Region(_)) => "region",
        Some(TroubleWith::Busy(..)) => "busy",
    };
    for (cause, expected) in [
        (WaitCause::Credentials, "secret"),
        (WaitCause::Permission, "access"),
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
                    lanes.in_trouble(&TroubleWith::of(&everybody[n], cause).unwrap(), &everybody[n], now + Duration::from_mins(1));
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
