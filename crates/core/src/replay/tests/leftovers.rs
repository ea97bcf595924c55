//! What is decided once and must not be decided again, and what an installer's or a user's change must not undo.

use super::fixtures::*;
use super::konnect::{Put, webhook};
use super::story::{Story, story};
use crate::api::{ConditionStatus, ConditionType, SubmissionState};
use crate::replay::{Candidate, Step};

fn without_its_region(mut s: Story) -> Story {
    s.policy.regions = vec!["us".to_owned()];
    s
}

#[test]
fn a_region_that_is_removed_does_not_stop_the_following_of_a_run() {
    for builder in [job().submitted(), job().adopted(), job().intended()] {
        let mut s = without_its_region(story(builder).konnect_has(ours("running")));
        s.pass().until("Running").konnect_says("completed");
        assert!(s.is(&ConditionType::Complete), "{:?}", s.ready());
    }
}

#[test]
fn in_a_region_that_was_removed_nothing_more_is_sent() {
    let mut failed = without_its_region(story(job().submitted()).konnect_has(ours("running")));
    failed.pass().konnect_says("failed").sleep(mins(90)).pass();
    let mut not_taken = without_its_region(story(job().intended()).konnect_has(theirs("completed")));
    not_taken.pass().sleep(secs(71)).pass();
    for s in [failed, not_taken] {
        assert_eq!((s.reason().as_str(), s.puts.len(), &s.last), ("RegionNotAllowed", 0, &Step::AwaitChange));
        assert!(s.is(&ConditionType::Stalled));
        assert!(Candidate::of(&s.job, &s.policy).is_some(), "its lane can be given up");
    }
}

#[test]
fn what_is_no_region_is_never_called_whatever_the_record_says() {
    for region in ["evil.example/", "global", "", "EU"] {
        let mut s = story(job().submitted().in_region(region)).konnect_has(ours("running"));
        s.pass();
        assert_eq!((s.reason().as_str(), s.count(&Step::ReadToken)), ("RegionNotAllowed", 0), "{region:?}");
    }
}

#[test]
fn a_request_proven_not_taken_is_recorded_as_such_so_that_a_wake_up_costs_nothing() {
    let mut s = story(job().intended().suspended()).konnect_has(theirs("completed"));
    s.pass().sleep(secs(71)).single_pass();
    assert_eq!((s.reason().as_str(), s.submission().state), ("Suspended", SubmissionState::NotTaken));
    assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::False);
    let reads = s.count(&Step::ReadRemoteJob);
    s.restart().pass();
    assert_eq!((s.count(&Step::ReadRemoteJob), &s.last), (reads, &Step::AwaitChange));
    s.edit(|job| job.spec.suspend = false);
    assert_eq!((s.reason().as_str(), s.puts.len(), s.status().attempts), ("Accepted", 1, 1));
}

#[test]
fn what_is_not_proven_is_not_recorded() {
    let mut s = story(job().intended().suspended()).konnect_has(theirs("completed"));
    s.pass().sleep(secs(30)).pass();
    assert_eq!(s.submission().state, SubmissionState::Intended);
    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass().run_for(mins(10));
    assert_eq!(s.submission().state, SubmissionState::Intended, "a refusal costs no second write");
}

#[test]
fn an_unknown_portal_does_not_count_as_an_unreadable_webhook() {
    let mut s = story(job()).get_fails(api(404));
    s.konnect.webhook = Err(api(404));
    s.pass().run_for(mins(15));
    let ready = s.condition(&ConditionType::WebhookReady).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "PortalNotFound"));
    s.konnect.get_fails = None;
    s.konnect.webhook = Err(api(500));
    s.wait();
    let begun = s.clock.mono;
    s.until("Accepted");
    assert!(s.puts[0].0.mono - begun >= mins(10) - secs(5), "its ten minutes begin now");
    let mut s = story(job());
    s.konnect.webhook = Ok(webhook(true));
    s.pass();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn start_time_is_when_a_run_was_first_under_way_and_stays() {
    let mut s = story(job()).konnect_has(ours("running"));
    s.pass();
    let started = s.status().start_time.unwrap();
    s.konnect_says("failed").until("Accepted");
    assert_eq!(s.status().start_time, Some(started), "adopted, then sent");
}
