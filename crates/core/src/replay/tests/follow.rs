//! A run under way, to its end.

use super::fixtures::*;
use super::invariants::{condition, is_true};
use super::konnect::deliveries;
use super::story::{Story, story};
use crate::api::{ConditionStatus, ConditionType};
use crate::replay::{Step, TokenProblem, WaitCause};

/// A story up to Konnect's acceptance.
fn accepted() -> Story {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.pass();
    assert_eq!(s.reason(), "Accepted");
    s
}

/// The table of docs/konnect-api.md 1: what each word means once the run is ours.
#[test]
fn each_word_of_konnects_is_told_in_ours() {
    for (word, reason, ended) in [
        ("accepted", "Accepted", false),
        ("pending", "RemotePending", false),
        ("running", "Running", false),
        ("completed", "Completed", true),
        ("failed", "RemoteFailed", false),
        ("paused", "RemoteStateUnknown", false),
    ] {
        let mut s = accepted();
        s.konnect_says(word);
        assert_eq!((s.reason().as_str(), s.is(&ConditionType::Finished)), (reason, ended), "{word}");
        assert_eq!(s.status().konnect.unwrap().status.as_str(), word);
        assert_eq!(s.puts.len(), 1);
    }
}

#[test]
fn an_undisturbed_life_is_told_in_six_writes() {
    let mut s = story(job());
    s.pass();
    for word in ["accepted", "pending", "running", "completed"] {
        s.konnect_says(word).run_for(mins(5));
    }
    assert_eq!(s.told(), ["Pending", "Submitting", "Accepted", "RemotePending", "Running", "Completed"]);
    assert_eq!((s.writes.len(), s.puts.len(), s.status().attempts), (6, 1, 1));
    assert!(s.is(&ConditionType::Complete) && s.status().completion_time.is_some());
}

#[test]
fn after_the_end_nothing_is_asked_and_nothing_changes_but_the_generation() {
    let mut s = accepted();
    s.konnect_says("completed");
    let (end, steps) = (s.status(), s.trace.len());
    s.konnect.job = strangers("running");
    s.sleep(mins(600)).pass();
    assert_eq!(s.trace[steps..], [Step::AwaitChange]);
    s.edit(|job| job.spec.suspend = true);
    s.edit(|job| job.spec.target.region = "xx".to_owned());
    assert_eq!(s.status().observed_generation, 3);
    let mut followed = end.conditions;
    for condition in &mut followed {
        condition.observed_generation = Some(3);
    }
    assert_eq!(s.status().conditions, followed, "kubectl wait compares the generation of a condition");
    assert_eq!(s.count(&Step::ReadRemoteJob), 2);
}

#[test]
fn an_unknown_word_is_mirrored_and_counts_as_under_way() {
    let mut s = accepted();
    s.konnect_says("paused");
    assert!(s.message().contains("paused"), "{}", s.message());
    s.run_for(mins(600));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("RemoteStateUnknown", 1));
    s.konnect_says("running").konnect_says("completed");
    assert_eq!(s.reason(), "Completed");
}

#[test]
fn polls_are_quick_at_first_then_regular_and_write_nothing() {
    let mut s = accepted();
    assert_eq!(s.waits(), secs(1));
    s.konnect_says("running").run_for(mins(2));
    assert_eq!(s.waits(), secs(15));
    let (writes, reads) = (s.writes.len(), s.count(&Step::ReadRemoteJob));
    s.run_for(mins(60));
    assert_eq!(s.writes.len(), writes);
    assert!((200..=240).contains(&(s.count(&Step::ReadRemoteJob) - reads)));
    s.jitter = 1.0;
    s.wait();
    assert_eq!(s.waits(), secs(12), "jitter shortens a poll");
}

#[test]
fn a_wake_up_by_its_own_write_asks_nothing_and_an_edit_does() {
    let mut s = accepted();
    s.konnect_says("running").run_for(mins(2));
    let steps = s.trace.len();
    s.pass();
    assert!(matches!(s.trace[steps..], [Step::Wait { cause: WaitCause::Resting, .. }]), "{:?}", &s.trace[steps..]);
    let reads = s.count(&Step::ReadRemoteJob);
    s.edit(|job| job.spec.suspend = true);
    assert_eq!(s.count(&Step::ReadRemoteJob), reads + 1);
    assert_eq!(s.status().observed_generation, 2);
}

#[test]
fn a_single_look_that_fails_changes_nothing_and_the_second_is_told() {
    for error in [api(500), no_connection(), no_answer(), html()] {
        let mut s = accepted();
        s.konnect_says("running");
        let writes = s.writes.len();
        s.konnect.get_fails = Some(error.clone());
        s.wait();
        assert_eq!(s.writes.len(), writes, "{error}");
        s.wait();
        assert_eq!((s.reason().as_str(), s.is(&ConditionType::Reconciling)), ("KonnectUnavailable", true), "{error}");
        assert!(s.message().contains("continues"), "{}", s.message());
        s.run_for(mins(600));
        assert_eq!(s.writes.len(), writes + 1, "{error}");
        s.konnect.get_fails = None;
        s.konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
    }
}

#[test]
fn a_token_that_fails_under_way_is_told_and_the_run_goes_on() {
    for denied in [true, false] {
        let mut s = accepted();
        s.konnect_says("running");
        if denied {
            s.konnect.get_fails = Some(api(401));
        } else {
            s.token = Err(TokenProblem::SecretNotFound);
        }
        s.wait().run_for(mins(10));
        assert_eq!((s.reason().as_str(), s.is(&ConditionType::Stalled)), ("WaitingForCredentials", true));
        assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::True);
        (s.token, s.konnect.get_fails) = (Ok(()), None);
        s.konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
    }
}

#[test]
fn a_portal_gone_for_ten_minutes_ends_the_job() {
    let mut s = accepted();
    s.konnect_says("running");
    s.konnect.get_fails = Some(api(404));
    s.wait();
    assert_eq!((s.reason().as_str(), s.is(&ConditionType::Failed)), ("PortalNotFound", false));
    s.until("PortalNotFound").run_for(mins(8));
    assert!(!s.is(&ConditionType::Failed));
    s.run_for(mins(4));
    assert!(s.is(&ConditionType::Failed) && s.is(&ConditionType::Finished));
    assert_eq!((s.puts.len(), &s.last), (1, &Step::AwaitChange));
}

#[test]
fn a_portal_gone_for_a_moment_does_not() {
    let mut s = accepted();
    s.konnect_says("running");
    for _ in 0..5 {
        s.konnect.get_fails = Some(api(404));
        s.wait();
        s.konnect.get_fails = None;
        s.wait();
    }
    assert_eq!(s.reason(), "Running");
}

#[test]
fn the_end_brings_the_webhooks_last_word_and_never_waits_for_it() {
    let mut s = accepted();
    s.konnect.webhook_status = Some(deliveries("inactive", 413));
    s.konnect_says("completed");
    assert_eq!(s.status().webhook.unwrap().last_response_code, Some(413));
    assert!(s.message().contains("413"), "{}", s.message());
    for (word, ended) in [("completed", "Completed"), ("failed", "RemoteFailed")] {
        let mut s = accepted();
        s.konnect.webhook = Err(no_answer());
        s.konnect_says(word);
        assert_eq!(s.reason(), ended, "{word}");
        assert_eq!(s.count(&Step::ReadWebhook { brief: true }), 2, "one before, one at the end");
    }
}

#[test]
fn konnects_job_is_mirrored_when_its_word_or_window_moves_and_not_at_each_poll() {
    let mut s = accepted();
    s.konnect_says("running");
    let mirrored = s.status().konnect.unwrap();
    s.konnect.job.updated_at = Some(at("2026-11-21T23:00:00Z"));
    s.run_for(mins(10));
    assert_eq!(s.status().konnect.unwrap(), mirrored);
}

#[test]
fn times_are_whole_seconds_and_transitions_move_with_status_only() {
    let mut s = accepted();
    let ready = s.ready().unwrap().last_transition_time;
    s.run_for(mins(5)).konnect_says("running");
    assert_eq!(s.ready().unwrap().last_transition_time, ready);
    s.konnect_says("completed");
    assert!(s.ready().unwrap().last_transition_time > ready);
    for status in &s.writes {
        for condition in &status.conditions {
            assert_eq!(condition.last_transition_time.timestamp_subsec_nanos(), 0);
        }
    }
    let submitted = |i: usize| condition(&s.writes[i], &ConditionType::Submitted).map(|c| c.status);
    assert_eq!(submitted(1), Some(ConditionStatus::Unknown), "told before it is sent");
}

/// A job waited without end for a run that could not be read.
#[test]
fn a_run_that_cannot_be_read_is_given_up_when_its_window_has_expired_and_not_before() {
    let no_token = || Err(TokenProblem::SecretNotFound);
    for builder in [job().intended(), job().submitted()] {
        let mut s = story(builder.clone()).konnect_has(ours("running"));
        s.token = no_token();
        s.pass();
        s.run_for(mins(3 * 24 * 60));
        assert_eq!(s.reason(), "WaitingForCredentials");
        s.run_for(mins(5 * 24 * 60));
        assert_eq!((s.reason().as_str(), s.puts.len()), ("RemoteStateUnknown", 0));
        assert!(is_true(&s.status(), &ConditionType::Failed), "{:#?}", s.status());

        let mut late = story(builder).konnect_has(ours("running"));
        late.token = no_token();
        late.pass();
        late.run_for(mins(3 * 24 * 60));
        late.token = Ok(());
        late.run_for(mins(5 * 24 * 60));
        assert_eq!(late.reason(), "Running", "what can be read is followed however long it takes");
        late.konnect_says("completed");
        late.run_for(mins(10));
        assert_eq!(late.reason(), "Completed");
    }
    let mut unavailable = story(job().submitted()).get_fails(no_answer());
    unavailable.pass();
    unavailable.run_for(mins(8 * 24 * 60));
    assert_eq!(unavailable.reason(), "RemoteStateUnknown");
}
