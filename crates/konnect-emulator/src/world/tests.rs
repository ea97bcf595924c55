//! How targets of one region affect each other, and what a window may be.

use chrono::TimeDelta;

use super::*;
use crate::job::JobView;
use crate::model::{Status, Window};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn window() -> Window {
    Window::new(now() - TimeDelta::hours(2), now() - TimeDelta::hours(1))
}

fn keys() -> [TargetKey; 4] {
    [
        TargetKey::portal("acme", "eu", "p1"),
        TargetKey::portal("acme", "eu", "p2"),
        TargetKey::portal("acme", "us", "p3"),
        TargetKey::portal("other", "eu", "p4"),
    ]
}

fn world(q1: Q1, q2: Q2) -> World {
    let timings = Timings::all(Duration::ZERO);
    let mut world = World::new(&Options { timings, q1, q2, ..Options::default() });
    for key in keys() {
        world.add_organization(&key.org);
        world.add_portal(&key).unwrap();
    }
    world
}

fn put(world: &mut World, key: &TargetKey) -> Result<JobView, Refusal> {
    world.put(key, window(), "t", now()).unwrap()
}

fn status(world: &World, key: &TargetKey) -> Status {
    world.target(key).unwrap().job.view().status.clone()
}

#[test]
fn a_running_job_refuses_the_region_when_q2_is_region() {
    let [first, second, other_region, other_org] = keys();
    let mut world = world(Q1::Replace, Q2::Region);
    put(&mut world, &first).unwrap();
    world.tick(now());
    assert_eq!(status(&world, &first), Status::Running);
    assert_eq!(put(&mut world, &second), Err(Refusal::Busy));
    put(&mut world, &other_region).unwrap();
    put(&mut world, &other_org).unwrap();
}

#[test]
fn a_running_job_refuses_only_itself_when_q2_is_portal() {
    let [first, second, ..] = keys();
    let mut world = world(Q1::Replace, Q2::Portal);
    put(&mut world, &first).unwrap();
    world.tick(now());
    put(&mut world, &second).unwrap();
    assert_eq!(put(&mut world, &first), Err(Refusal::Busy));
}

#[test]
fn one_run_at_a_time_begins_in_a_region() {
    let [first, second, ..] = keys();
    let mut world = world(Q1::Replace, Q2::Region);
    put(&mut world, &second).unwrap();
    put(&mut world, &first).unwrap();
    assert_eq!(world.tick(now()).effects.len(), 1);
    assert_eq!((status(&world, &first), status(&world, &second)), (Status::Running, Status::Pending));
    world.delivered(&first, 1, Ok(0));
    assert_eq!(world.tick(now()).effects.len(), 1, "the end of one begins the other");
    assert_eq!((status(&world, &first), status(&world, &second)), (Status::Completed, Status::Running));
}

#[test]
fn a_waiting_job_refuses_the_region_when_q1_is_refuse() {
    let [first, second, ..] = keys();
    let mut world = world(Q1::Refuse, Q2::Region);
    put(&mut world, &first).unwrap();
    assert_eq!(put(&mut world, &second), Err(Refusal::Busy));
}

#[test]
fn a_window_must_be_within_the_last_seven_days() {
    let [key, ..] = keys();
    let day = TimeDelta::days(1);
    for (start, end, fields) in [
        (now() - day * 7, now(), vec![]),
        (now() - day, now() - day, vec![]),
        (now() - day * 8, now(), vec!["start_at"]),
        (now() - day, now() + day, vec!["end_at"]),
        (now() - day, now() - day * 2, vec!["end_at"]),
        (now() - day * 9, now() - day * 8, vec!["start_at", "end_at"]),
    ] {
        let answer = world(Q1::Replace, Q2::Region).put(&key, Window::new(start, end), "t", now()).unwrap();
        let found = match answer {
            Err(Refusal::Invalid(invalid)) => invalid.into_iter().map(|parameter| parameter.field).collect(),
            _ => vec![],
        };
        assert_eq!(found, fields, "{start} {end}");
    }
}

#[test]
fn events_leave_with_retention() {
    let [key, ..] = keys();
    let mut world = world(Q1::Replace, Q2::Region);
    world.emit(&key, Emit::at(1, now() - TimeDelta::hours(2)), now()).unwrap();
    assert_eq!(world.events_in(&key, window(), now()).len(), 1);
    let later = now() + TimeDelta::days(7);
    assert_eq!(world.events_in(&key, window(), later).len(), 0);
    world.emit(&key, Emit::now(1), later).unwrap();
    assert_eq!(world.target(&key).unwrap().events.len(), 1, "and are deleted for good");
}

#[test]
fn targets_hold_their_own_events() {
    let [first, second, ..] = keys();
    let mut world = world(Q1::Replace, Q2::Region);
    let at = window().start_at;
    world.emit(&first, Emit::at(2, at), now()).unwrap();
    world.emit(&TargetKey::organization("acme", "eu"), Emit::at(3, at), now()).unwrap();
    assert_eq!(world.events_in(&first, window(), now()).len(), 2);
    assert_eq!(world.events_in(&second, window(), now()).len(), 0);
}
