//! How long a finished object stays.

use super::fixtures::*;
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::replay::{Step, WaitCause};

fn complete(ttl: Option<u32>) -> Story {
    let mut s = story(job().with(|spec| spec.ttl_seconds_after_finished = ttl));
    s.pass().konnect_says("completed");
    assert!(s.is(&ConditionType::Complete));
    s
}

#[test]
fn it_counts_from_the_end_and_then_the_object_goes() {
    let mut s = complete(Some(100));
    assert!(
        matches!(s.last, Step::Wait { cause: WaitCause::TimeToLive, wait } if wait <= secs(100) && wait > secs(98))
    );
    let writes = s.writes.len();
    s.wait();
    assert_eq!((s.last.clone(), s.writes.len()), (Step::Delete, writes), "nothing is written on the way");
}

#[test]
fn without_it_the_object_stays() {
    let mut s = complete(None);
    s.sleep(mins(60 * 24 * 365)).pass();
    assert_eq!(s.last, Step::AwaitChange);
}

#[test]
fn a_failed_job_goes_too() {
    let mut s = story(
        job()
            .window("2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z")
            .with(|spec| spec.ttl_seconds_after_finished = Some(60)),
    );
    s.pass();
    assert!(s.is(&ConditionType::Failed));
    s.wait();
    assert_eq!(s.last, Step::Delete);
}

#[test]
fn set_after_the_fact_it_counts_from_the_end_all_the_same() {
    let mut s = complete(None);
    s.sleep(mins(10)).edit(|job| job.spec.ttl_seconds_after_finished = Some(900));
    assert!(s.waits() <= mins(5), "{:?}", s.last);
    assert_eq!(s.status().observed_generation, 2, "the edit is observed first");
    let mut s = complete(None);
    s.sleep(mins(10)).edit(|job| job.spec.ttl_seconds_after_finished = Some(60));
    assert_eq!((s.last.clone(), s.status().observed_generation), (Step::Delete, 2), "it was due before it was set");
}

#[test]
fn changed_it_counts_anew_and_taken_away_the_object_stays() {
    let mut s = complete(Some(60));
    s.edit(|job| job.spec.ttl_seconds_after_finished = Some(86_400));
    s.sleep(mins(2)).pass();
    assert_eq!(s.waits(), mins(60), "a clock that is set, or a machine that slept, is noticed");
    s.edit(|job| job.spec.ttl_seconds_after_finished = None);
    s.sleep(mins(60 * 48)).pass();
    assert_eq!(s.last, Step::AwaitChange);
}

#[test]
fn while_the_job_goes_on_it_does_not_count() {
    let mut s = story(job().with(|spec| spec.ttl_seconds_after_finished = Some(60)));
    s.pass().konnect_says("running").run_for(mins(600));
    assert_eq!(s.reason(), "Running");
}

#[test]
fn changed_while_the_job_runs_the_last_word_counts_and_the_run_is_followed() {
    let mut s = story(job().with(|spec| spec.ttl_seconds_after_finished = Some(60)));
    s.pass().konnect_says("running").edit(|job| job.spec.ttl_seconds_after_finished = Some(900));
    assert_eq!((s.reason().as_str(), s.status().observed_generation), ("Running", 2));
    s.konnect_says("completed");
    assert!(s.waits() > secs(898) && s.puts.len() == 1, "{:?}", s.last);
    let mut s = story(job().with(|spec| spec.ttl_seconds_after_finished = Some(60)));
    s.pass().konnect_says("running").edit(|job| job.spec.ttl_seconds_after_finished = None);
    s.konnect_says("completed").sleep(mins(60)).pass();
    assert_eq!(s.last, Step::AwaitChange);
}

/// Admission refuses it; an object from before that rule may have it. The end is written first, and so is its evidence.
#[test]
fn zero_deletes_after_the_end_is_on_record_and_never_before() {
    let mut s = story(job().with(|spec| spec.ttl_seconds_after_finished = Some(0)));
    s.pass().konnect_says("running").run_for(mins(10));
    assert_eq!(s.count(&Step::Delete), 0);
    s.konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.last.clone()), ("Completed", Step::Delete));
    let recorded = s.writes.last().unwrap();
    assert!(recorded.completion_time.is_some());
}

#[test]
fn suspended_time_neither_stops_nor_shortens_it() {
    let mut s = story(job().suspended().with(|spec| spec.ttl_seconds_after_finished = Some(60)));
    s.pass().sleep(mins(600)).pass();
    assert_eq!((s.reason().as_str(), s.last.clone()), ("Suspended", Step::AwaitChange), "it is not finished");
    s.edit(|job| job.spec.suspend = false).konnect_says("completed");
    assert!(s.waits() > secs(58), "what was spent suspended is no time after the end: {:?}", s.last);
    s.edit(|job| job.spec.suspend = true);
    s.wait();
    assert_eq!(s.last, Step::Delete, "nothing is under way that could be held back");
}

#[test]
fn a_clock_that_is_set_back_waits_longer_and_a_restart_loses_nothing() {
    let mut s = complete(Some(120));
    s.clock.wall -= chrono::TimeDelta::minutes(30);
    s.restart().pass();
    assert!(s.waits() > mins(30));
    s.clock.wall += chrono::TimeDelta::minutes(40);
    s.restart().pass();
    assert_eq!(s.last, Step::Delete);
}

#[test]
fn an_object_that_is_being_deleted_already_is_left_alone() {
    let mut s = complete(Some(60));
    s.sleep(mins(2)).single_pass();
    assert_eq!(s.last, Step::Delete);
    s.single_pass();
    assert_eq!(s.last, Step::AwaitChange, "a finalizer of somebody else's holds it: it was asked for once");
}
