//! "Answer to PUT" (docs/konnect-api.md 5), row by row.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Story, story};
use crate::api::{ConditionStatus, ConditionType, SubmissionState};
use crate::konnect::{ApiError, CallError};
use crate::replay::Step;

/// A story up to the answer to its first PUT.
fn after_put(answer: Put) -> Story {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is(answer);
    s.pass();
    assert_eq!(s.puts.len(), 1);
    s
}

#[test]
fn a_2xx_with_a_job_of_our_window_is_recorded_and_followed() {
    let s = after_put(Put::Taken);
    let (status, submission) = (s.status(), s.submission());
    assert_eq!(s.reason(), "Accepted");
    assert_eq!(submission.state, SubmissionState::Accepted);
    assert_eq!(submission.window, our_window());
    let accepted = submission.accepted.unwrap();
    assert_eq!((accepted.start_at, accepted.updated_at), (Some(our_window().start_at), s.konnect.job.updated_at));
    assert_eq!(submission.previous.unwrap().start_at, Some(their_window().start_at));
    assert_eq!((status.attempts, status.start_time.is_some()), (1, true));
    assert_eq!(status.konnect.unwrap().status.as_str(), "accepted");
    assert!(matches!(s.last, Step::Wait { cause: crate::replay::WaitCause::Poll, .. }));
}

#[test]
fn an_answer_of_unknown_outcome_is_settled_by_reading_before_any_other_put() {
    let answers = || {
        let errors = [301, 302, 307, 308, 405, 408, 500, 502, 503, 504].map(api).into_iter();
        errors.chain([no_answer(), html(), CallError::Unreadable { status: 202, why: "cut".to_owned() }])
    };
    for error in answers() {
        let mut s = after_put(Put::TakenBut(error.clone()));
        assert_eq!(s.reason(), "Submitting", "{error}");
        assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::Unknown);
        assert_eq!(s.submission().state, SubmissionState::Intended);
        s.until("Accepted").konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1), "{error}");
    }
    for error in answers() {
        let mut s = after_put(Put::Refused(error.clone()));
        s.until("Accepted");
        let [first, second] = s.puts[..] else { panic!("{error}: {:?}", s.puts) };
        assert!(second.0.mono - first.0.mono >= s.policy.settle_time() - secs(2), "{error}");
        assert_eq!(s.status().attempts, 1, "what was not taken is no attempt");
    }
}

#[test]
fn a_2xx_with_the_very_job_from_before_proves_nothing() {
    let mut s = after_put(Put::Answer(theirs("completed")));
    assert_eq!(s.reason(), "Submitting");
    assert!(s.message().contains("no replay job of it"), "{}", s.message());
    s.until("Accepted");
    assert_eq!(s.puts.len(), 2);
}

#[test]
fn a_400_is_terminal_and_says_what_konnect_names() {
    let error = CallError::Api(ApiError {
        status: 400,
        message: Some("Invalid Parameters".to_owned()),
        invalid_parameters: vec!["start_at: must be within 7 days".to_owned()],
        trace_id: Some("kong:trace:42".to_owned()),
        retry_after: None,
    });
    let s = after_put(Put::Refused(error));
    assert_eq!(s.reason(), "InvalidRequest");
    assert!(s.is(&ConditionType::Failed) && s.is(&ConditionType::Stalled));
    assert!(s.message().contains("Invalid Parameters; start_at: must be within 7 days"), "{}", s.message());
    assert!(!s.message().contains("kong:trace"));
    assert_eq!(s.last, Step::AwaitChange);
}

#[test]
fn a_400_near_a_limit_may_be_the_clocks_and_is_tried_again() {
    for (name, window, now) in [
        ("a fresh end", ("2026-11-21T08:00:00Z", "2026-11-21T11:50:00Z"), "2026-11-21T12:00:00Z"),
        ("a start that is about to expire", ("2026-11-14T12:10:00Z", "2026-11-14T13:00:00Z"), "2026-11-21T12:00:00Z"),
        (
            "an end that ceases to be fresh meanwhile",
            ("2026-11-21T08:00:00Z", "2026-11-21T11:45:05Z"),
            "2026-11-21T12:00:00Z",
        ),
    ] {
        let mut s = story(job().window(window.0, window.1)).at_time(now).put_is_refused(api(400));
        s.pass();
        assert!(!s.is(&ConditionType::Failed), "{name}: {}", s.message());
        s.until("Accepted");
        assert_eq!(s.puts.len(), 2, "{name}");
    }
}

#[test]
fn a_400_near_a_limit_by_konnects_clock_is_tried_again() {
    // By our clock the end is half an hour old; by Konnect's it is five minutes.
    let mut s = story(job().window("2026-11-21T08:00:00Z", "2026-11-21T11:30:00Z"))
        .konnect_is_ahead(TimeDelta::minutes(-25))
        .put_is_refused(api(400));
    s.pass();
    assert!(!s.is(&ConditionType::Failed), "{}", s.message());
    s.edit(|job| job.spec.token_secret_ref.key = "other".to_owned());
    assert!(!s.is(&ConditionType::Failed), "an edit knows no more of Konnect's clock: {}", s.message());
    s.until("Accepted");
}

#[test]
fn a_400_far_from_every_limit_ends_the_second_try_too() {
    let mut s =
        story(job().window("2026-11-21T08:00:00Z", "2026-11-21T11:45:05Z")).every_put_is(Put::Refused(api(400)));
    s.pass().until("InvalidRequest");
    assert_eq!(s.puts.len(), 2);
}

#[test]
fn a_400_verdict_that_could_not_be_written_is_given_after_another_look() {
    let mut s = story(job()).put_is_refused(api(400)).put_is_refused(api(400));
    s.pass();
    let mut lost = s.writes[s.writes.len() - 2].clone();
    std::mem::swap(s.job.status.as_mut().unwrap(), &mut lost);
    s.single_pass();
    assert_eq!(s.puts.len(), 1, "not at once");
    s.until("InvalidRequest");
}

#[test]
fn a_connection_that_was_never_made_is_tried_again_after_a_while() {
    let mut s = after_put(Put::Refused(no_connection()));
    assert_eq!(s.reason(), "KonnectUnavailable");
    assert!(s.is(&ConditionType::Reconciling));
    assert!(s.waits() >= secs(60));
    s.until("Accepted");
    assert_eq!((s.puts.len(), s.status().attempts), (2, 1));
}

#[test]
fn a_401_or_403_is_shown_and_tried_slowly() {
    for (status, reason) in [(401, "Unauthorized"), (403, "Forbidden")] {
        let mut s = after_put(Put::Refused(api(status)));
        assert_eq!(s.reason(), "WaitingForCredentials");
        let credentials = s.condition(&ConditionType::CredentialsValid).unwrap();
        assert_eq!((credentials.status, credentials.reason.as_str()), (ConditionStatus::False, reason));
        assert!(s.waits() >= secs(60));
        s.until("Accepted");
        assert_eq!(s.condition(&ConditionType::CredentialsValid).unwrap().status, ConditionStatus::True);
        assert_eq!(s.puts.len(), 2);
    }
}

#[test]
fn a_token_that_may_read_and_not_replay_stalls_after_five_minutes_and_costs_one_write_a_try() {
    for (status, detail) in [(403, ConditionType::CredentialsValid), (404, ConditionType::WebhookReady)] {
        let mut s = story(job()).every_put_is(Put::Refused(api(status)));
        s.pass().run_for(mins(4));
        assert!(s.is(&ConditionType::Reconciling), "{status}");
        let since = s.condition(&detail).unwrap().last_transition_time;
        s.run_for(mins(4));
        assert!(s.is(&ConditionType::Stalled), "{status}");
        assert_eq!(s.condition(&detail).unwrap().last_transition_time, since, "{status}: it never worked in between");
        let (writes, puts) = (s.writes.len(), s.puts.len());
        s.run_for(mins(30));
        assert_eq!(s.writes.len() - writes, s.puts.len() - puts, "{status}");
        s.konnect.every_put = Put::Taken;
        s.until("Accepted");
        assert!(!s.is(&ConditionType::Stalled), "{status}");
    }
}

#[test]
fn a_404_says_that_the_portal_is_unknown_and_is_tried_slowly() {
    let mut s = after_put(Put::Refused(api(404)));
    assert_eq!(s.reason(), "PortalNotFound");
    assert!(s.message().contains(PORTAL) && s.message().contains("v3"), "{}", s.message());
    s.until("Accepted");
}

#[test]
fn a_409_waits_and_does_not_count() {
    let mut s = after_put(Put::Refused(api(409)));
    assert_eq!(s.reason(), "BlockedByRemoteJob");
    let status = s.status();
    assert_eq!((status.attempts, status.conflicts), (0, 1));
    assert_eq!(status.blocked_by.as_deref(), Some("external"));
    assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::False);
    assert!(s.is(&ConditionType::Reconciling));
    s.until("Accepted");
    assert_eq!((s.status().attempts, s.status().blocked_by), (1, None));
}

#[test]
fn hours_of_409_cost_a_write_and_a_put_ever_more_rarely() {
    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass();
    let writes = s.writes.len();
    s.run_for(mins(180));
    let tries = s.puts.len() - 1;
    assert!((18..=22).contains(&tries), "{tries}");
    assert!(s.writes.len() - writes <= tries, "{} writes for {tries} tries", s.writes.len() - writes);
    assert!(s.puts.windows(2).all(|p| p[1].0.mono - p[0].0.mono >= secs(60)), "at most one a minute");
    assert_eq!(s.told(), ["Pending", "Submitting", "BlockedByRemoteJob"], "nothing flaps");
    assert!(!s.is(&ConditionType::Failed) && !s.is(&ConditionType::Stalled));
    s.konnect.every_put = Put::Taken;
    s.until("Accepted");
    assert_eq!(s.status().attempts, 1);
    assert_eq!(s.status().conflicts as usize, s.puts.len() - 1);
}

#[test]
fn a_409_for_a_week_ends_when_the_window_has_expired() {
    let mut s =
        story(job().window("2026-11-14T13:00:00Z", "2026-11-14T14:00:00Z")).every_put_is(Put::Refused(api(409)));
    s.pass().run_for(mins(59));
    assert_eq!(s.reason(), "BlockedByRemoteJob");
    s.run_for(mins(17));
    assert_eq!(s.reason(), "WindowExpired", "when no clock can differ that much");
    assert!(s.is(&ConditionType::Failed));
    assert_eq!(s.last, Step::AwaitChange);
}

#[test]
fn a_429_waits_as_long_as_konnect_says_and_never_less_than_the_spacing() {
    for (retry_after, wait) in [(None, 60), (Some(0), 60), (Some(77), 77), (Some(900), 900)] {
        let mut s = after_put(Put::Refused(slow_down(retry_after)));
        assert_eq!(s.reason(), "RateLimited");
        assert_eq!(s.waits().as_secs(), wait, "{retry_after:?}");
        s.until("Accepted");
        assert_eq!((s.puts.len(), s.status().attempts), (2, 1));
    }
}

#[test]
fn a_413_is_not_taken_and_tried_again() {
    let mut s = after_put(Put::Refused(api(413)));
    assert_eq!(s.reason(), "KonnectUnavailable");
    s.until("Accepted");
}

#[test]
fn an_edit_does_not_shorten_the_spacing_of_refused_requests() {
    let mut s = after_put(Put::Refused(api(409)));
    s.sleep(secs(20)).edit(|job| job.spec.token_secret_ref.name = "other".to_owned());
    assert_eq!(s.puts.len(), 1);
    s.until("Accepted");
    assert!(s.puts[1].0.mono - s.puts[0].0.mono >= secs(60));
}

#[test]
fn jitter_lengthens_the_spacing_of_refused_requests() {
    let mut s = story(job()).put_is_refused(api(409));
    s.jitter = 1.0;
    s.pass();
    assert_eq!(s.waits(), secs(72));
}
