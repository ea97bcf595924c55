//! Deadlines: from when they count, when they stand still, and that a run which completed meanwhile is Complete.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::replay::Step;

fn starting(seconds: u32) -> JobBuilder {
    job().with(|spec| spec.starting_deadline_seconds = Some(seconds))
}

fn active(seconds: u32) -> JobBuilder {
    job().with(|spec| spec.active_deadline_seconds = Some(seconds))
}

/// An object that was created when its story begins.
fn created(builder: JobBuilder) -> Story {
    let mut s = story(builder);
    s.job.metadata.creation_timestamp = serde_json::from_str(r#""2026-11-21T12:00:00Z""#).unwrap();
    s
}

fn failed_with(s: &Story, reason: &str) -> bool {
    s.reason() == reason && s.is(&ConditionType::Failed) && s.last == Step::AwaitChange
}

#[test]
fn what_is_not_taken_in_time_is_given_up_at_the_deadline() {
    let mut s = created(starting(600)).konnect_has(theirs("running"));
    s.pass().run_for(secs(590));
    assert_eq!(s.reason(), "BlockedByRemoteJob");
    s.run_for(secs(15));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
    assert_eq!(s.puts.len(), 0);
    let mut s = created(starting(600)).every_put_is(Put::Refused(api(409)));
    s.pass().run_for(secs(601));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
    let mut s = created(starting(600));
    s.turn = Some(crate::replay::Turn::Behind { blocked_by: "first".to_owned() });
    s.pass().run_for(secs(601));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
}

#[test]
fn a_wait_ends_at_the_deadline_whatever_it_is_for() {
    for seconds in [10, 75, 100] {
        let mut s = created(starting(seconds)).every_put_is(Put::Refused(slow_down(Some(900))));
        s.pass().run_for(secs(u64::from(seconds) + 2));
        assert!(failed_with(&s, "StartingDeadlineExceeded"), "{seconds}: {:?}", s.ready());
    }
}

#[test]
fn starting_counts_from_the_end_of_a_window_that_is_later() {
    let mut s = created(starting(600).window("2026-11-21T08:00:00Z", "2026-11-21T14:00:00Z"));
    s.pass().until("Accepted");
    let mut s = created(starting(30).window("2026-11-21T08:00:00Z", "2026-11-21T14:00:00Z"));
    s.pass().run_for(mins(121));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "shorter than the ingest delay: {:?}", s.ready());
}

#[test]
fn once_a_run_is_under_way_the_deadline_for_starting_no_longer_counts() {
    for found in [theirs("completed"), ours("running")] {
        let mut s = created(starting(5)).konnect_has(found);
        s.pass().run_for(mins(60));
        s.konnect_says("completed");
        assert!(s.is(&ConditionType::Complete));
    }
}

#[test]
fn a_run_that_does_not_complete_in_time_is_given_up_and_goes_on() {
    for word in ["accepted", "running", "paused"] {
        let mut s = created(active(600));
        s.pass().konnect_says(word).run_for(secs(590));
        assert!(!s.is(&ConditionType::Failed));
        s.run_for(secs(15));
        assert!(failed_with(&s, "DeadlineExceeded"), "{word}: {:?}", s.ready());
        assert!(s.message().contains("cannot stop"), "{}", s.message());
    }
    let mut s = created(active(600)).konnect_has(ours("running"));
    s.pass().run_for(secs(610));
    assert!(failed_with(&s, "DeadlineExceeded"), "adopted");
}

/// A job that is given up reserves nothing, and the next one of its target starts on what a GET shows: that must be our run by then.
#[test]
fn a_run_is_not_given_up_before_every_get_must_show_it() {
    let mut s = created(active(10));
    s.konnect.lag = TimeDelta::seconds(30);
    s.pass().run_for(secs(60));
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
    s.run_for(secs(30));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
    let mut s = created(active(10));
    s.pass().run_for(secs(20)).konnect_says("completed");
    assert!(s.is(&ConditionType::Complete), "what completes meanwhile is Complete");
}

#[test]
fn the_active_deadline_spans_retries() {
    let mut s = created(active(600));
    s.pass();
    for _ in 0..2 {
        s.konnect_says("failed").run_for(mins(4));
    }
    s.run_for(mins(5));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
}

/// Rule 9: a verdict on a recorded request is given after a look at Konnect's job.
#[test]
fn a_run_that_completed_while_nobody_looked_is_complete_and_not_late() {
    let mut s = created(active(600));
    s.pass().konnect_says("running");
    s.konnect.job.status = "completed".to_owned().into();
    s.sleep(mins(60)).restart().pass();
    assert_eq!(s.reason(), "Completed");
    let mut s = created(starting(60));
    s.dies = Some(super::story::Death::AfterPut);
    s.pass().restart();
    s.konnect.job.status = "completed".to_owned().into();
    s.sleep(mins(60)).pass().until("Completed");
    assert_eq!(s.puts.len(), 1);
}

#[test]
fn no_verdict_is_given_on_a_recorded_request_while_konnect_cannot_be_read() {
    let mut s = created(active(600));
    s.pass().konnect_says("running");
    s.konnect.get_fails = Some(api(500));
    s.sleep(mins(60)).restart().pass().run_for(mins(60));
    assert!(!s.is(&ConditionType::Finished), "{:?}", s.ready());
    s.konnect.get_fails = None;
    s.until("DeadlineExceeded");
}

#[test]
fn a_request_that_konnect_certainly_refused_needs_no_reading_for_a_verdict() {
    let mut s = created(starting(100)).put_is_refused(api(409));
    s.pass();
    s.konnect.get_fails = Some(api(500));
    s.run_for(mins(60));
    assert_eq!(s.reason(), "StartingDeadlineExceeded");
}

#[test]
fn what_was_never_recorded_needs_no_look() {
    let mut s = created(starting(600)).get_fails(no_connection());
    s.pass().run_for(mins(11));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
}

#[test]
fn both_stand_still_while_suspended() {
    let mut s = created(starting(600)).konnect_has(theirs("running"));
    s.pass().run_for(secs(300)).edit(|job| job.spec.suspend = true);
    s.sleep(mins(600)).edit(|job| job.spec.suspend = false);
    assert_eq!(s.reason(), "BlockedByRemoteJob");
    assert!((36_000..36_010).contains(&s.status().suspended_seconds), "{}", s.status().suspended_seconds);
    s.run_for(secs(280));
    assert!(!s.is(&ConditionType::Failed));
    s.edit(|job| job.spec.suspend = true);
    s.sleep(mins(60)).edit(|job| job.spec.suspend = false);
    s.run_for(secs(30));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());

    let mut s = created(active(600));
    s.pass().konnect_says("failed").edit(|job| job.spec.suspend = true);
    s.sleep(mins(60)).edit(|job| job.spec.suspend = false);
    assert_eq!(s.reason(), "Accepted");
    s.run_for(secs(590));
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
    s.run_for(secs(30));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
}

#[test]
fn a_pause_before_the_run_does_not_lengthen_the_time_for_the_run() {
    let mut s = created(active(600).suspended());
    s.pass().sleep(mins(60)).edit(|job| job.spec.suspend = false);
    assert_eq!((s.reason().as_str(), s.status().suspended_seconds), ("Accepted", 0));
    s.run_for(secs(610));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
}

#[test]
fn a_deadline_may_be_changed_set_and_taken_away() {
    let mut s = created(active(60));
    s.pass().konnect_says("running").edit(|job| job.spec.active_deadline_seconds = Some(6000));
    s.run_for(mins(50)).edit(|job| job.spec.active_deadline_seconds = None);
    s.run_for(mins(600));
    assert_eq!(s.reason(), "Running");
    s.edit(|job| job.spec.active_deadline_seconds = Some(60));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
}

#[test]
fn an_object_that_was_made_suspended_has_all_its_time_to_start_when_it_is_resumed() {
    for resume_after_restart in [false, true] {
        let mut s = created(starting(600).suspended()).konnect_has(theirs("running"));
        s.pass().sleep(mins(600));
        if resume_after_restart {
            s.restart().pass();
        }
        s.edit(|job| job.spec.suspend = false);
        s.run_for(secs(580));
        assert_eq!(s.reason(), "BlockedByRemoteJob", "{:?}", s.ready());
        s.run_for(secs(30));
        assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
    }
}

/// The time before the window has ended counts for nobody, suspended or not: it is not taken off twice.
#[test]
fn a_pause_that_begins_before_the_window_ends_counts_from_that_end() {
    let ahead = || starting(600).window("2026-11-21T08:00:00Z", "2026-11-21T14:00:00Z").suspended();
    let mut s = created(ahead()).konnect_has(theirs("running"));
    s.pass().sleep(mins(180)).edit(|job| job.spec.suspend = false);
    assert!((3_600..3_610).contains(&s.status().suspended_seconds), "{}", s.status().suspended_seconds);
    s.run_for(secs(580));
    assert_eq!(s.reason(), "BlockedByRemoteJob", "{:?}", s.ready());
    s.run_for(secs(30));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
    let mut s = created(ahead()).konnect_has(theirs("running"));
    s.pass().sleep(mins(60)).edit(|job| job.spec.suspend = false);
    assert_eq!(s.status().suspended_seconds, 0);
    s.run_for(mins(60) + secs(580));
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
}

/// `suspend` holds back the next request. A run goes on, and so does its time.
#[test]
fn while_a_run_goes_on_suspend_does_not_stop_its_deadline() {
    let mut s = created(active(600));
    s.pass().konnect_says("running").edit(|job| job.spec.suspend = true);
    s.run_for(secs(610));
    assert!(failed_with(&s, "DeadlineExceeded"), "{:?}", s.ready());
    assert_eq!(s.status().suspended_seconds, 0);
}

/// What was over is over: a pause afterwards brings nothing back, and one that was noticed too late does not either.
#[test]
fn suspended_after_the_deadline_a_job_stays_failed() {
    let mut s = created(starting(60)).konnect_has(theirs("running"));
    s.pass().run_for(secs(70));
    assert!(failed_with(&s, "StartingDeadlineExceeded"), "{:?}", s.ready());
    s.edit(|job| job.spec.suspend = true);
    assert!(s.is(&ConditionType::Failed) && !s.is(&ConditionType::Suspended));
}
