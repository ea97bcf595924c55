//! Messages that are bounded and steady, and conditions that others can rely on.

use super::fixtures::*;
use super::konnect::Put;
use super::story::story;
use crate::api::{Condition, ConditionStatus, ConditionType, MAX_MESSAGE_CHARS};
use crate::konnect::{ApiError, CallError};

fn wordy(status: u16, trace: &str) -> CallError {
    CallError::Api(ApiError {
        status,
        message: Some("ü".repeat(512)),
        invalid_parameters: vec!["ß".repeat(512); 5],
        trace_id: Some(trace.to_owned()),
        retry_after: None,
    })
}

#[test]
fn a_message_is_cut_at_1024_characters_and_not_inside_one() {
    let mut s = story(job()).put_is_refused(wordy(400, "t"));
    s.pass();
    assert_eq!(s.message().chars().count(), MAX_MESSAGE_CHARS);
    assert!(s.message().ends_with('…'));
}

#[test]
fn a_trace_id_that_is_new_each_time_changes_nothing() {
    let mut s = story(job().ignoring_the_webhook()).get_fails(wordy(500, "trace-1"));
    s.pass();
    let writes = s.writes.len();
    for n in 2..6 {
        s.konnect.get_fails = Some(wordy(500, &format!("trace-{n}")));
        s.wait();
    }
    assert_eq!(s.writes.len(), writes);
    assert!(!format!("{:?}", s.status()).contains("trace-"));
}

#[test]
fn an_edit_is_observed_while_waiting() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass().edit(|job| job.spec.token_secret_ref.key = "other".to_owned());
    assert_eq!(s.status().observed_generation, 2);
    assert_eq!(s.ready().unwrap().observed_generation, Some(2));
}

#[test]
fn the_first_visit_says_pending_before_any_question() {
    let mut s = story(job());
    s.pass();
    assert!(matches!(s.trace[0], crate::replay::Step::WriteStatus(_)));
    assert_eq!(s.told()[0], "Pending");
    let mut s = story(job());
    s.job.status = None;
    s.pass();
    assert_eq!(s.told()[0], "Pending", "also under a CRD without the default");
}

#[test]
fn what_another_version_wrote_is_kept() {
    let mut s = story(job());
    let foreign = Condition {
        type_: "Archived".to_owned().into(),
        status: ConditionStatus::True,
        observed_generation: Some(1),
        last_transition_time: at("2026-11-21T11:00:00Z"),
        reason: "Moved".to_owned(),
        message: "By a newer version.".to_owned(),
    };
    s.job.status.as_mut().unwrap().conditions.push(foreign.clone());
    s.begin();
    let crate::replay::Step::WriteStatus(status) = s.ask() else { panic!() };
    assert_eq!(status.conditions.last(), Some(&foreign));
}

#[test]
fn a_refused_request_is_told_until_its_successor_has_an_answer() {
    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass();
    let (writes, blocked) = (s.writes.len(), s.status());
    s.run_for(mins(10));
    for status in &s.writes[writes..] {
        assert_eq!((&status.conditions, &status.blocked_by), (&blocked.conditions, &blocked.blocked_by));
    }
}

#[test]
fn a_mended_secret_is_not_called_missing_while_the_next_request_is_made() {
    let mut s = story(job()).put_is_refused(api(409)).put_is_refused(no_answer());
    s.pass();
    s.token = Err(crate::replay::TokenProblem::SecretNotFound);
    s.until("WaitingForCredentials");
    s.token = Ok(());
    let before = s.writes.len();
    while s.puts.len() < 2 {
        s.wait();
    }
    let intent = &s.writes[before];
    let ready = super::invariants::condition(intent, &ConditionType::Ready).unwrap();
    assert_eq!(ready.reason, "Submitting", "{}", ready.message);
}
