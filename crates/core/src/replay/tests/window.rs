//! Windows: rounding, limits, retention by Konnect's clock, and the second that makes a repeat distinct.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::Put;
use super::story::story;
use crate::api::{ConditionType, WindowSpec};
use crate::replay::facts::window::{distinct_from, expires_at, parse, ready_at};
use crate::replay::{Step, WaitCause};

fn parsed(start: &str, end: &str) -> Result<crate::api::TimeRange, String> {
    parse(&WindowSpec { start_at: start.to_owned(), end_at: end.to_owned() })
}

#[test]
fn the_start_is_rounded_down_and_the_end_up_to_whole_seconds() {
    for (start, end, expected) in [
        ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z", ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z")),
        ("2026-11-20T08:00:00.999Z", "2026-11-20T09:00:00.001Z", ("2026-11-20T08:00:00Z", "2026-11-20T09:00:01Z")),
        ("2026-11-20T08:00:00.000Z", "2026-11-20T09:00:00.000Z", ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z")),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T04:00:00-05:00", ("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z")),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z", ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z")),
        ("2026-11-20T08:00:00.5Z", "2026-11-20T08:00:00.5Z", ("2026-11-20T08:00:00Z", "2026-11-20T08:00:01Z")),
        ("2026-11-13T08:00:00.5Z", "2026-11-20T08:00:00.5Z", ("2026-11-13T08:00:00Z", "2026-11-20T08:00:01Z")),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z")),
    ] {
        assert_eq!(parsed(start, end), Ok(range(expected.0, expected.1)), "{start} {end}");
    }
}

#[test]
fn what_is_no_window_is_refused_with_a_sentence() {
    for (start, end, word) in [
        ("", "2026-11-20T08:00:00Z", "startAt is not"),
        ("2026-11-20", "2026-11-20T08:00:00Z", "startAt is not"),
        ("2026-11-20T08:00:00", "2026-11-20T08:00:00Z", "with a zone"),
        ("2026-11-20T08:00:00Z", "2026-02-30T08:00:00Z", "endAt is not"),
        ("2019-12-31T23:59:59Z", "2020-01-01T00:00:00Z", "startAt does not lie"),
        ("2099-12-31T00:00:00Z", "2100-01-01T00:00:00Z", "endAt does not lie"),
        ("2026-11-20T08:00:00Z", "2026-11-20T07:59:59Z", "before"),
        ("2026-11-20T08:00:00.8Z", "2026-11-20T08:00:00.2Z", "before"),
        ("2026-11-13T08:00:00Z", "2026-11-20T08:00:01Z", "longer"),
        ("2026-11-13T08:00:00Z", "2026-11-20T08:00:00.001Z", "longer"),
    ] {
        let message = parsed(start, end).unwrap_err();
        assert!(message.contains(word), "{start} {end}: {message}");
    }
}

#[test]
fn a_window_of_no_length_is_sent_as_it_is() {
    let mut s = story(job().window("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"));
    s.pass();
    assert_eq!(s.puts[0].1, range("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"));
}

#[test]
fn a_window_that_has_not_ended_is_sent_when_its_last_events_have_arrived() {
    let mut s = story(job().window("2026-11-21T08:00:00Z", "2026-11-23T08:00:00Z"));
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::TakeTurn)), ("WaitingForWindowEnd", 0));
    assert!(s.message().contains("2026-11-23T08:01:00Z"), "{}", s.message());
    assert!(matches!(s.last, Step::Wait { cause: WaitCause::WindowEnd, .. }));
    assert_eq!(s.waits(), mins(60), "a clock that is set is noticed within the hour");
    s.until("Accepted");
    assert_eq!(s.reason(), "Accepted");
    assert!(s.puts[0].0.wall >= at("2026-11-23T08:01:00Z"));
}

#[test]
fn an_end_more_than_eight_days_ahead_is_taken_for_a_slip_until_it_is_nearer() {
    let mut s = story(job().window("2026-11-29T11:00:00Z", "2026-11-29T12:00:01Z"));
    s.pass();
    assert_eq!(s.reason(), "InvalidWindow");
    assert!(s.is(&ConditionType::Stalled));
    s.wait();
    assert_eq!(s.reason(), "WaitingForWindowEnd");
    s.until("Accepted");
    let mut s = story(job().window("2026-11-29T11:00:00Z", "2026-11-29T12:00:00Z"));
    s.pass();
    assert_eq!(s.reason(), "WaitingForWindowEnd");
}

#[test]
fn a_window_that_left_retention_long_ago_fails_after_konnect_was_asked_the_time() {
    let mut s = story(job().window("2026-11-14T11:44:00Z", "2026-11-14T13:00:00Z"));
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadRemoteJob)), ("WindowExpired", 1));
    assert_eq!((s.count(&Step::TakeTurn), s.puts.len()), (0, 0));
    assert!(s.is(&ConditionType::Failed) && s.is(&ConditionType::Finished));
    assert!(s.message().contains("2026-11-21T11:44:00Z"), "{}", s.message());
}

#[test]
fn only_a_window_of_which_something_is_left_is_said_to_be_worth_another_try() {
    for (end, left) in [("2026-11-14T13:00:00Z", true), ("2026-11-14T11:50:00Z", false)] {
        let mut s = story(job().window("2026-11-14T11:44:00Z", end));
        s.pass();
        assert_eq!(s.message().contains("To recover what is left"), left, "{}", s.message());
        assert_eq!(s.message().contains("nothing left"), !left, "{}", s.message());
    }
}

#[test]
fn near_the_limit_konnects_clock_decides() {
    for (start, skew, expired) in [
        ("2026-11-14T11:59:00Z", TimeDelta::zero(), true),
        ("2026-11-14T11:59:00Z", TimeDelta::minutes(-5), false),
        ("2026-11-14T12:03:00Z", TimeDelta::zero(), false),
        ("2026-11-14T12:03:00Z", TimeDelta::minutes(5), true),
    ] {
        let mut s = story(job().window(start, "2026-11-14T13:00:00Z")).konnect_is_ahead(skew);
        s.pass();
        let expected = if expired { "WindowExpired" } else { "Accepted" };
        assert_eq!((s.reason().as_str(), s.puts.len()), (expected, usize::from(!expired)), "{start} {skew}");
    }
    let mut s = story(job().window("2026-11-14T11:59:00Z", "2026-11-14T13:00:00Z"));
    s.konnect.date = None;
    s.pass();
    assert_eq!(s.reason(), "ClockInDoubt");
    s.wait();
    assert_eq!(s.reason(), "WindowExpired", "without a Date header, ours does, when it says so twice");
}

#[test]
fn a_get_that_failed_says_nothing_of_the_time_at_konnect() {
    let mut s =
        story(job().window("2026-11-14T11:59:00Z", "2026-11-14T13:00:00Z").ignoring_the_webhook()).get_fails(api(500));
    s.pass();
    assert_eq!(s.reason(), "KonnectUnavailable");
    s.konnect.date = Some(TimeDelta::minutes(-5));
    s.konnect.get_fails = None;
    s.until("Accepted");
}

#[test]
fn freshness_is_judged_by_konnects_clock() {
    let mut s =
        story(job().window("2026-11-21T08:00:00Z", "2026-11-21T11:58:00Z")).konnect_is_ahead(TimeDelta::minutes(-3));
    s.pass();
    assert_eq!(s.reason(), "WaitingForWindowEnd");
    s.run_for(mins(3));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1));
}

#[test]
fn in_doubt_and_expired_is_judged_after_a_reading() {
    let expired = || job().intended().window("2026-11-10T08:00:00Z", "2026-11-10T09:00:00Z");
    let mut s = story(expired()).konnect_has(ours("completed"));
    s.pass().until("Completed");
    let mut s = story(expired()).konnect_has(theirs("completed"));
    s.pass();
    assert_eq!(s.reason(), "Submitting");
    s.until("WindowExpired");
    assert_eq!(s.puts.len(), 0);
}

#[test]
fn a_window_that_konnect_has_just_replayed_is_sent_with_a_second_more() {
    for word in ["completed", "failed"] {
        let mut s = story(job().replaying()).konnect_has(ours(word));
        s.pass();
        let sent = range("2026-11-20T08:00:00Z", "2026-11-20T11:30:01Z");
        assert_eq!((s.puts[0].1, s.submission().window), (sent, sent));
        assert_eq!(s.status().window.unwrap().end_at, sent.end_at);
        s.konnect_says("completed");
        assert_eq!(s.reason(), "Completed");
    }
}

#[test]
fn the_run_before_ours_is_never_taken_for_ours() {
    let mut s = story(job().replaying()).konnect_has(ours("completed")).put_is(Put::Refused(no_answer()));
    s.pass().run_for(secs(60));
    assert_eq!(s.reason(), "Submitting");
    s.until("Accepted");
    assert_eq!((s.puts.len(), s.is(&ConditionType::Complete)), (2, false));
}

#[test]
fn the_second_goes_before_the_start_where_the_end_is_too_fresh() {
    let (policy, now) = (policy(), at("2026-11-21T12:00:00Z"));
    let fresh = range("2026-11-21T11:00:00Z", "2026-11-21T11:59:00Z");
    assert_eq!(
        distinct_from(fresh, &[fresh], false, now, &policy),
        range("2026-11-21T10:59:59Z", "2026-11-21T11:59:00Z")
    );
    let second_later = now + TimeDelta::seconds(1);
    assert_eq!(
        distinct_from(fresh, &[fresh], false, second_later, &policy),
        range("2026-11-21T11:00:00Z", "2026-11-21T11:59:01Z")
    );
    let about_to_expire = range("2026-11-14T12:00:01Z", "2026-11-21T11:59:00Z");
    let distinct = distinct_from(about_to_expire, &[about_to_expire], false, now, &policy);
    assert_eq!(distinct.start_at, about_to_expire.start_at);
    assert_eq!(
        distinct_from(fresh, &[fresh], true, now, &policy).start_at,
        fresh.start_at,
        "a start that was moved stays"
    );
    assert_eq!(distinct_from(fresh, &[their_window()], false, now, &policy), fresh);
}

#[test]
fn what_is_or_will_be_sent_and_when_it_expires_stands_in_the_status() {
    let mut s = story(job().window("2026-11-20T08:00:00.7Z", "2026-11-20T09:00:00.2Z").suspended());
    s.pass();
    let planned = s.status().window.unwrap();
    assert_eq!((planned.start_at, planned.end_at), (at("2026-11-20T08:00:00Z"), at("2026-11-20T09:00:01Z")));
    assert_eq!(planned.expires_at, at("2026-11-27T08:00:00Z"));
    let window = range("2026-11-20T08:00:00Z", "2026-11-20T09:00:01Z");
    assert_eq!(expires_at(window, &s.policy), planned.expires_at);
    assert_eq!(ready_at(window, &s.policy), at("2026-11-20T09:01:01Z"));
}
