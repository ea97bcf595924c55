//! What must have been stored before a request is based on it, whose clock ends a job, and how often a user can have it try.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::replay::{Step, TokenProblem};

/// A definition from before `status.retries` was added must not take every limit away.
#[test]
fn a_failed_run_whose_count_is_not_stored_is_not_sent_again() {
    let mut s = story(job().with(|spec| spec.backoff_limit = 1)).konnect_has(theirs("completed"));
    s.definition_drops = Some(|status| status.retries = None);
    s.pass().konnect_says("failed").run_for(mins(120));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("DefinitionOutdated", 1));
    assert!(s.is(&ConditionType::Stalled) && s.message().contains("CustomResourceDefinition"), "{:?}", s.ready());
    s.restart().pass().run_for(mins(10));
    assert_eq!(s.puts.len(), 1, "after a restart only the object is known");
    s.definition_drops = None;
    s.until("Accepted").konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BackoffLimitExceeded", 2));
}

#[test]
fn a_limit_that_an_older_definition_does_not_know_is_no_limit_to_pass_over() {
    let nothing = unconfigured();
    let mut s = story(job()).konnect_has(theirs("completed")).every_put_is(Put::Answer(nothing));
    s.definition_drops = Some(|status| {
        if let Some(retries) = &mut status.retries {
            retries.not_shown = 0;
        }
    });
    s.pass().run_for(mins(120));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("DefinitionOutdated", 1));
}

#[test]
fn a_record_of_an_intent_that_is_not_stored_is_not_sent() {
    let mut s = story(job());
    s.definition_drops = Some(|status| status.submission = None);
    s.single_pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("DefinitionOutdated", 0));
}

#[test]
fn what_limits_nothing_may_be_dropped() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is_refused(api(503));
    s.definition_drops = Some(|status| {
        if let Some(retries) = &mut status.retries {
            retries.not_taken = 0;
        }
    });
    s.pass().until("Accepted");
    assert_eq!(s.puts.len(), 2);
}

/// A node's clock that is set nine days ahead, and back again.
const AHEAD: TimeDelta = TimeDelta::days(9);

fn clock_jumps(s: &mut Story, by: TimeDelta) {
    s.clock.wall += by;
}

#[test]
fn a_clock_that_is_wrong_ends_no_job_while_konnect_says_otherwise() {
    for builder in [job(), job().with(|spec| spec.starting_deadline_seconds = Some(172_800))] {
        let mut s = story(builder).konnect_has(strangers("running"));
        s.pass();
        clock_jumps(&mut s, AHEAD);
        s.konnect.date = Some(-AHEAD);
        s.pass().run_for(mins(10));
        assert!(!s.is(&ConditionType::Finished), "{:?}", s.ready());
        clock_jumps(&mut s, -AHEAD);
        s.konnect.date = Some(TimeDelta::zero());
        s.konnect.job.status = "completed".to_owned().into();
        s.until("Accepted").konnect_says("completed");
        assert_eq!(s.reason(), "Completed");
    }
}

#[test]
fn a_run_under_way_is_not_given_up_by_a_clock_that_is_wrong() {
    let mut s = story(job().with(|spec| spec.active_deadline_seconds = Some(3600)));
    s.pass().konnect_says("running");
    clock_jumps(&mut s, AHEAD);
    s.konnect.date = Some(-AHEAD);
    s.run_for(mins(10));
    assert_eq!(s.reason(), "Running");
    clock_jumps(&mut s, -AHEAD);
    s.konnect.date = Some(TimeDelta::zero());
    s.konnect_says("completed");
    assert_eq!(s.reason(), "Completed");
}

#[test]
fn one_nonsensical_date_of_konnects_ends_no_job_and_shortens_no_window() {
    for builder in [job(), job().clamping()] {
        let mut s = story(builder).konnect_is_ahead(TimeDelta::days(6));
        s.pass();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("ClockInDoubt", 0));
        assert!(s.is(&ConditionType::Reconciling) && s.waits() <= s.policy.poll_interval);
        s.konnect.date = Some(TimeDelta::zero());
        s.wait();
        assert_eq!((s.reason().as_str(), s.puts[0].1), ("Accepted", our_window()));
    }
}

#[test]
fn konnects_clock_is_believed_when_it_says_the_same_twice() {
    let mut s = story(job()).konnect_is_ahead(TimeDelta::days(9));
    s.pass();
    assert_eq!(s.reason(), "ClockInDoubt");
    s.wait();
    assert_eq!(s.reason(), "WindowExpired");
    assert!(s.is(&ConditionType::Failed));
}

#[test]
fn where_konnect_cannot_be_asked_our_clock_must_say_the_same_twice() {
    let mut s = story(job().window("2026-11-10T10:00:00Z", "2026-11-10T18:00:00Z"));
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass();
    assert_eq!(s.reason(), "ClockInDoubt");
    s.wait();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("WindowExpired", 0));

    let mut s = story(job());
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass().run_for(mins(5));
    clock_jumps(&mut s, AHEAD);
    s.wait();
    assert_eq!(s.reason(), "ClockInDoubt");
    clock_jumps(&mut s, -AHEAD);
    s.wait();
    assert_eq!(s.reason(), "WaitingForCredentials");
}

#[test]
fn trying_now_again_and_again_asks_konnect_once_a_poll_interval_at_most() {
    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass();
    for n in 0..100 {
        s.sleep(secs(1)).request(&n.to_string());
    }
    assert!((5..=8).contains(&s.puts.len()), "{} in 100 s", s.puts.len());
    assert!(s.count(&Step::ReadRemoteJob) <= 16, "{}", s.count(&Step::ReadRemoteJob));
}

#[test]
fn trying_now_after_failed_runs_begins_no_two_within_a_poll_interval() {
    let mut s = story(job().with(|spec| spec.backoff_limit = 100));
    s.pass();
    for n in 0..30 {
        if s.konnect.job.status.is_busy() {
            s.konnect.job.status = "failed".to_owned().into();
            s.konnect.job.updated_at = Some(s.clock.wall);
        }
        s.sleep(secs(1)).request(&n.to_string());
    }
    let apart: Vec<_> = s.puts.windows(2).map(|pair| pair[1].0.mono - pair[0].0.mono).collect();
    // The first wish is honoured at once.
    assert!(apart.len() > 1 && apart[1..].iter().all(|gap| *gap >= s.policy.poll_interval), "{apart:?}");
}

#[test]
fn conditions_of_other_versions_leave_room_for_our_own() {
    let mut s = story(job());
    let other = |n: usize| crate::api::Condition {
        type_: format!("Other{n}").into(),
        status: crate::api::ConditionStatus::True,
        observed_generation: None,
        last_transition_time: at(NOW),
        reason: "Running".to_owned(),
        message: "Of another version.".to_owned(),
    };
    s.job.status.as_mut().unwrap().conditions = (0..16).map(other).collect();
    s.pass();
    assert_eq!((s.reason().as_str(), s.status().conditions.len()), ("Accepted", 16));
}
