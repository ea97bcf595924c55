//! What a process remembers, and that losing it is safe: who keeps lane and target, and what a PUT's answer proves.

use std::time::Duration;

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Death, Story, story};
use crate::replay::{FirstSight, PutAnswer, Step, TokenProblem, reserves};

/// Whether lane and target stay reserved after the last pass.
fn holds(s: &Story) -> bool {
    let reserves = reserves(&s.job, &s.course.memory, s.clock.mono);
    assert_eq!(s.scheduler.reserves(&crate::replay::ObjectId::of(&s.job)), reserves);
    reserves
}

#[test]
fn a_2xx_with_a_job_near_the_window_that_was_sent_is_taken() {
    let sent = *job().intended().build().status.unwrap().submission.unwrap();
    let answer = |result| PutAnswer::new(&sent, result);
    let mut near = ours("accepted");
    near.end_at = near.end_at.map(|end| end + chrono::TimeDelta::milliseconds(1));
    for shown in [ours("running"), near, ours("")] {
        assert_eq!(answer(Ok(shown.clone())), PutAnswer::Taken(shown));
    }
    let without_window = crate::konnect::RemoteJob { start_at: None, ..ours("accepted") };
    let template = strangers("unconfigured");
    for other in [
        strangers("accepted"),
        theirs("accepted"),
        theirs("completed"),
        unconfigured(),
        template,
        without_window,
        strangers(""),
    ] {
        assert!(matches!(answer(Ok(other.clone())), PutAnswer::NotShown(_)), "{other:?}");
    }
    assert!(matches!(answer(Err(html())), PutAnswer::NotShown(_)), "2xx, but no job");
    for status in [400, 401, 403, 404, 409, 413, 429] {
        assert_eq!(answer(Err(api(status))), PutAnswer::Refused(api(status)));
    }
    for status in [301, 408, 500, 502, 504] {
        assert!(matches!(answer(Err(api(status))), PutAnswer::InDoubt(_)), "{status}");
    }
}

#[test]
fn every_unfinished_submission_holds_its_turn_after_a_restart() {
    for (builder, expected) in [
        (job(), FirstSight::Waits),
        (job().suspended(), FirstSight::Nothing),
        (job().intended(), FirstSight::Reserves),
        (job().submitted(), FirstSight::Reserves),
        (job().adopted(), FirstSight::Reserves),
    ] {
        assert_eq!(FirstSight::of(&builder.build()), expected);
    }
    let mut s = story(job());
    s.pass().konnect_says("completed");
    assert_eq!(FirstSight::of(&s.job), FirstSight::Nothing);
}

#[test]
fn a_run_under_way_holds_its_turn_and_gives_it_up_at_its_end() {
    let mut s = story(job());
    s.pass();
    assert!(holds(&s));
    s.konnect.get_fails = Some(api(500));
    s.wait().wait();
    assert!(holds(&s), "unreadable");
    s.konnect.get_fails = None;
    s.token = Err(TokenProblem::SecretNotFound);
    s.wait();
    assert!(holds(&s), "no token, but the run goes on");
    s.token = Ok(());
    s.konnect_says("completed");
    assert!(!holds(&s));
}

#[test]
fn only_what_may_be_under_way_reserves_anything_after_a_pass() {
    for error in [no_answer(), api(500)] {
        let mut s = story(job()).every_put_is(Put::Refused(error.clone()));
        s.pass();
        assert!(holds(&s), "{error}: Konnect may have taken it");
    }
    for error in [api(429), no_connection(), api(401), api(403), api(404), api(400), api(409)] {
        let mut s = story(job()).every_put_is(Put::Refused(error.clone()));
        s.pass();
        assert!(!holds(&s), "{error}");
    }
    let mut s = story(job());
    s.konnect.webhook = Ok(super::konnect::webhook(false));
    s.pass();
    assert!(!holds(&s), "webhook off");
    let mut s = story(job().suspended());
    s.pass();
    assert!(!holds(&s), "suspended");
}

#[test]
fn a_request_that_proves_not_taken_does_not_hold_the_lane_for_what_comes_after() {
    let mut s = story(job().intended()).konnect_has(theirs("completed"));
    s.pass();
    assert!(holds(&s), "in doubt");
    s.konnect.webhook = Ok(super::konnect::webhook(false));
    s.wait();
    assert_eq!((s.reason().as_str(), holds(&s)), ("WaitingForWebhook", false));

    let mut s = story(job().intended().suspended()).konnect_has(theirs("completed"));
    s.pass();
    assert!(holds(&s), "suspended, but in doubt");
    s.sleep(secs(70)).single_pass();
    assert_eq!((s.reason().as_str(), holds(&s)), ("Suspended", false));
}

#[test]
fn an_object_in_doubt_that_is_being_deleted_keeps_its_target() {
    let mut s = story(job().intended());
    s.job.metadata.deletion_timestamp = serde_json::from_str(r#""2026-11-21T12:00:00Z""#).unwrap();
    s.pass();
    assert!(matches!(s.last, Step::Wait { .. }) && holds(&s), "{:?}", s.last);
}

#[test]
fn a_job_that_went_astray_blocks_nobody() {
    let mut s = story(job().submitted()).konnect_has(strangers("running"));
    s.pass().until("Superseded");
    assert!(!holds(&s));
}

#[test]
fn a_conflict_is_counted_once_whatever_is_written() {
    let mut s = story(job());
    for _ in 0..3 {
        s = s.put_is_refused(api(409));
    }
    s.pass().until("Accepted");
    assert_eq!((s.status().conflicts, s.puts.len()), (3, 4));
    s.konnect_says("running").konnect_says("completed");
    assert_eq!(s.status().conflicts, 3);
    assert!(s.status().last_conflict_time.is_some());
}

#[test]
fn a_process_without_memory_sends_nothing_that_may_have_been_sent() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is_refused(api(409));
    s.pass().restart().pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Submitting", 1));
    assert_eq!(s.waits(), s.policy.settle_time());
    s.until("Accepted");
    assert_eq!((s.puts.len(), s.status().attempts), (2, 1));
}

#[test]
fn a_process_that_dies_at_every_request_begins_one_run() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    for _ in 0..5 {
        s.dies = Some(Death::BeforePut);
        s.single_pass();
        s.restart().pass().sleep(secs(70));
    }
    s.pass().until("Accepted");
    assert_eq!(s.puts.len(), 1);
}

/// Until just before the hour is over, and then past it.
fn an_hour_of(s: &mut Story) -> (bool, bool) {
    let begun = s.clock.mono;
    while s.clock.mono - begun < Duration::from_mins(59) {
        s.wait();
    }
    let before = holds(s);
    while s.clock.mono - begun < Duration::from_mins(61) {
        s.wait();
    }
    (before, holds(s))
}

#[test]
fn a_run_that_does_not_change_or_cannot_be_read_for_an_hour_reserves_nothing() {
    let mut s = story(job());
    s.pass().konnect_says("running");
    assert_eq!(an_hour_of(&mut s), (true, false), "unchanged");
    s.konnect.job.updated_at = Some(s.clock.wall);
    s.wait();
    assert!(holds(&s), "it moves again");
    s.konnect.get_fails = Some(api(500));
    assert_eq!(an_hour_of(&mut s), (true, false), "unreadable");
    s.konnect.get_fails = None;
    s.konnect_says("completed");
    assert!(!holds(&s));

    let mut s = story(job().intended()).get_fails(no_answer());
    s.pass();
    assert_eq!(an_hour_of(&mut s), (true, false), "in doubt, and unreadable");
    assert!(holds(s.restart()), "after a restart the hour begins anew: no two clocks are compared");
}

#[test]
fn what_may_still_take_effect_when_its_object_vanishes_is_known() {
    let settle = super::fixtures::policy().settle_time();
    let left = |s: &Story| s.course.memory.unsettled(settle, s.clock.mono);
    let mut s = story(job());
    assert_eq!(left(&s), None, "nothing was recorded");
    s.pass();
    assert_eq!(left(&s), Some(settle - s.konnect.put_takes), "a GET may not show it yet");
    s.sleep(settle);
    assert_eq!(left(&s), None);

    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass();
    assert_eq!(left(&s), None, "certainly not taken");

    let mut s = story(job());
    s.dies = Some(Death::BeforePut);
    s.single_pass();
    s.restart().pass();
    assert_eq!(left(&s), Some(settle), "nobody knows");
}
