//! The gates before a request: whose turn it is, what is at Konnect, and how old the reading is.

use chrono::TimeDelta;

use super::fixtures::*;
use super::story::story;
use crate::api::{ConditionType, SubmissionState};
use crate::replay::{Step, Turn, WaitCause};

/// The table of docs/konnect-api.md 1: may a request be sent when this is found?
#[test]
fn only_a_target_that_is_certainly_free_is_sent_to() {
    for (word, free) in [
        ("unconfigured", true),
        ("completed", true),
        ("failed", true),
        ("accepted", false),
        ("pending", false),
        ("running", false),
        ("paused", false),
        ("", false),
    ] {
        let mut s = story(job()).konnect_has(theirs(word));
        s.pass().run_for(mins(60));
        assert_eq!(s.puts.len(), usize::from(free), "{word:?}");
        if !free {
            assert_eq!(
                (s.reason().as_str(), s.status().blocked_by.as_deref()),
                ("BlockedByRemoteJob", Some("external"))
            );
            assert_eq!(s.told(), ["Pending", "BlockedByRemoteJob"], "{word:?}");
            assert_eq!(s.writes.len(), 2, "{word:?}: an hour of waiting writes nothing");
        }
    }
}

#[test]
fn a_foreign_run_is_waited_for_and_its_owner_gets_two_poll_intervals_to_see_its_end() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass().run_for(mins(10));
    s.konnect.job = theirs("completed");
    s.wait();
    let ended = s.clock.mono;
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0));
    s.until("Accepted");
    let waited = s.puts[0].0.mono - ended;
    assert!(waited >= s.policy.poll_interval * 2 && waited < mins(1), "{waited:?}");
}

#[test]
fn another_foreign_run_in_between_is_waited_for_too() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass();
    s.konnect.job = theirs("completed");
    s.wait();
    s.konnect.job = strangers("accepted");
    s.wait().run_for(mins(10));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0));
    s.konnect.job = strangers("failed");
    s.until("Accepted");
}

#[test]
fn a_run_of_our_very_window_is_adopted_and_followed_to_its_end() {
    for (word, reason) in [("accepted", "Adopted"), ("pending", "RemotePending"), ("running", "Running")] {
        let mut s = story(job()).konnect_has(ours(word));
        s.pass();
        assert_eq!((s.reason().as_str(), s.submission().state), (reason, SubmissionState::Adopted));
        assert_eq!(s.condition(&ConditionType::Submitted).unwrap().reason, "Adopted");
        let writes = s.writes.len();
        s.run_for(mins(60));
        assert_eq!(s.writes.len(), writes, "{word}: adopted once");
        s.konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len(), s.status().attempts), ("Adopted", 0, 0));
        assert!(s.is(&ConditionType::Complete) && s.message().contains("nothing was sent"), "{}", s.message());
    }
    let mut s = story(job()).konnect_has(ours("paused"));
    s.pass();
    assert_eq!(s.reason(), "BlockedByRemoteJob", "a word we do not know is nobody's to adopt");
}

#[test]
fn an_adopted_run_that_fails_is_a_failure() {
    let mut s = story(job()).konnect_has(ours("running"));
    s.pass().konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("RemoteFailed", 0));
}

#[test]
fn konnect_is_not_called_before_it_is_our_turn() {
    for (blocked_by, word) in [("first", "AuditLogReplayJob first"), ("other", "another namespace")] {
        let mut s = story(job());
        s.turn = Some(Turn::Behind { blocked_by: blocked_by.to_owned() });
        s.pass();
        assert_eq!((s.reason().as_str(), s.status().blocked_by.as_deref()), ("Queued", Some(blocked_by)));
        assert!(s.message().contains(word), "{}", s.message());
        assert_eq!(s.count(&Step::ReadWebhook { brief: false }) + s.count(&Step::ReadRemoteJob), 0);
        assert!(matches!(s.last, Step::Wait { cause: WaitCause::Turn, .. }));
        s.turn = None;
        s.wait();
        assert_eq!((s.reason().as_str(), s.status().blocked_by), ("Accepted", None));
    }
}

#[test]
fn whoever_waits_in_line_has_no_timer_that_would_cost_more_the_longer_the_line_is() {
    for turn in [Turn::Behind { blocked_by: "first".to_owned() }, Turn::Later] {
        let mut s = story(job());
        s.turn = Some(turn);
        s.pass();
        assert_eq!(s.last, Step::Wait { wait: mins(60), cause: WaitCause::Turn });
    }
}

#[test]
fn a_konnect_too_slow_to_be_sent_to_is_not_asked_in_a_circle() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.konnect.get_takes = secs(11);
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadRemoteJob)), ("KonnectUnavailable", 1));
    s.run_for(mins(10));
    assert_eq!(s.puts.len(), 0);
    s.konnect.get_takes = secs(9);
    s.until("Accepted");
}

#[test]
fn a_slow_webhook_does_not_make_the_reading_old() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass();
    s.konnect.job = theirs("completed");
    s.konnect.webhook_takes = secs(25);
    s.until("Accepted");
}

#[test]
fn an_intent_whose_reading_is_old_is_not_sent_without_a_new_reading_and_a_new_record() {
    let hour = (mins(60), TimeDelta::hours(1));
    for (name, (mono, wall)) in [
        ("stopped, both clocks", hour),
        ("stopped, monotonic clock stands", (secs(0), TimeDelta::hours(1))),
        ("stopped, wall clock stands", (mins(60), TimeDelta::zero())),
        ("wall clock set back", (secs(1), TimeDelta::hours(-1))),
        ("eleven seconds", (secs(11), TimeDelta::seconds(11))),
    ] {
        let mut s = story(job()).konnect_has(theirs("completed"));
        s.pause_after_intent = Some((mono, wall));
        s.single_pass();
        assert_eq!(s.puts.len(), 0, "{name}");
        let stale = s.submission().id;
        s.wait();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1), "{name}");
        assert_ne!(s.submission().id, stale, "{name}: only the rightful leader can write another record");
    }
}

#[test]
fn an_unsent_intent_is_dropped_for_somebody_elses_run() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.pause_after_intent = Some((mins(5), TimeDelta::minutes(5)));
    s.single_pass();
    s.konnect.job = strangers("running");
    s.wait();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0));
}
