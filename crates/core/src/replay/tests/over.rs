//! Submissions that are over without having completed: counted, spaced, made again under a window of their own, and given up.

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Story, story};
use crate::api::{ConditionStatus, ConditionType, SubmissionState};
use crate::konnect::RemoteJob;
use crate::replay::{FirstSight, Step, WaitCause, reserves};

/// A story up to Konnect's acceptance.
fn accepted(builder: JobBuilder) -> Story {
    let mut s = story(builder).konnect_has(theirs("completed"));
    s.pass();
    assert_eq!(s.reason(), "Accepted");
    s
}

fn limited_to(limit: u32) -> JobBuilder {
    job().with(|spec| spec.backoff_limit = limit)
}

#[test]
fn a_run_that_failed_is_waited_after_counted_and_tried_again() {
    let mut s = accepted(job());
    s.konnect_says("running").konnect_says("failed");
    let (status, submission) = (s.status(), s.submission());
    assert_eq!((s.reason().as_str(), s.is(&ConditionType::Reconciling)), ("RemoteFailed", true));
    assert_eq!((submission.state, submission.end_time.is_some()), (SubmissionState::Failed, true));
    let retries = status.retries.unwrap();
    assert_eq!((retries.failed, retries.superseded, retries.ended_unseen), (1, 0, 0));
    let next = crate::konnect::time::format(retries.next_time.unwrap());
    assert!(s.message().contains(&format!("sent again after {next}")), "{}", s.message());
    assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::False);
    s.until("Accepted");
    assert!(s.puts[1].0.wall >= retries.next_time.unwrap());
    assert_eq!((s.puts.len(), s.status().attempts, s.submission().attempt), (2, 2, 2));
    s.konnect_says("running").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.status().retries.unwrap().failed), ("Completed", 1));
}

#[test]
fn tries_are_spaced_1_5_25_60_and_60_minutes_give_or_take_a_fifth() {
    for (jitter, share) in [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)] {
        let mut s = accepted(job());
        s.jitter = jitter;
        for minutes in [1.0, 5.0, 25.0, 60.0, 60.0, 60.0] {
            s.konnect_says("failed");
            assert_eq!(s.reason(), "RemoteFailed");
            let ended = s.clock.wall;
            s.until("Accepted");
            let waited = (s.puts.last().unwrap().0.wall - ended).as_seconds_f64();
            let expected = minutes * share * 60.0;
            assert!(waited >= expected - 1.0 && waited <= expected + 5.0, "{jitter} {minutes}: {waited}");
        }
        s.konnect_says("failed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("BackoffLimitExceeded", 7));
    }
}

#[test]
fn the_spacing_is_scaled_by_the_installer() {
    let mut s = accepted(job());
    (s.policy.backoff_base, s.jitter) = (secs(2), 0.5);
    s.konnect_says("failed");
    assert!(s.waits() <= secs(2), "{:?}", s.waits());
    s.until("Accepted");
}

#[test]
fn after_as_many_failed_runs_as_are_allowed_the_job_is_given_up() {
    for limit in [0, 1, 3] {
        let mut s = accepted(limited_to(limit));
        for _ in 0..limit {
            s.konnect_says("failed").until("Accepted");
        }
        s.konnect_says("failed");
        assert_eq!((s.reason().as_str(), s.is(&ConditionType::Failed)), ("BackoffLimitExceeded", true), "{limit}");
        assert_eq!((s.submission().state, &s.last), (SubmissionState::Failed, &Step::AwaitChange));
        let status = s.status();
        assert_eq!((status.retries.unwrap().failed, s.puts.len()), (limit + 1, limit as usize + 1));
        assert!(s.message().contains("2026-11-20T08:00:00Z"), "{}", s.message());
    }
}

#[test]
fn an_adopted_run_that_fails_is_followed_by_one_of_ours_and_does_not_count() {
    let mut s = story(job()).konnect_has(ours("running"));
    s.pass().konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.status().retries.unwrap().failed), ("RemoteFailed", 0));
    s.until("Accepted");
    assert_eq!((s.puts.len(), s.status().attempts), (1, 1));
    assert_ne!(s.puts[0].1, our_window());
}

/// Konnect gives no other key: whatever a stale reading shows of an earlier run must not be taken for the one under way.
#[test]
fn each_try_has_a_window_unlike_the_two_before_it() {
    let mut s = accepted(job());
    for _ in 0..5 {
        s.konnect_says("failed").until("Accepted");
    }
    for triple in s.puts.windows(3) {
        assert!(triple[0].1 != triple[1].1 && triple[1].1 != triple[2].1 && triple[0].1 != triple[2].1, "{triple:?}");
    }
    assert!(s.puts.iter().all(|(_, w)| w.start_at == our_window().start_at && w.end_at >= our_window().end_at));
}

#[test]
fn a_failure_that_shows_no_window_is_ours() {
    for word in ["accepted", "running"] {
        let mut s = accepted(job());
        s.konnect_says(word);
        s.konnect.job = remote("failed", our_window(), "2026-11-21T12:30:00Z");
        (s.konnect.job.start_at, s.konnect.job.end_at) = (None, None);
        s.until("RemoteFailed");
        assert_eq!((s.reason().as_str(), s.status().retries.unwrap().failed), ("RemoteFailed", 1), "{word}");
        s.until("Accepted").konnect_says("completed");
        assert_eq!(s.reason(), "Completed");
    }
}

/// Two jobs of a target, and a GET that lags: the first one fails, the second one reads what was there before the first, and is sent.
/// What it reads next is the failure of the first, which shows no window that would tell. Its own run is under way all the time.
#[test]
fn a_failure_that_shows_no_window_may_be_of_the_run_before_until_a_get_must_show_ours() {
    for word in ["accepted", "running"] {
        let mut s = accepted(job());
        s.konnect_says(word);
        let under_way = s.konnect.job.clone();
        s.konnect.shown =
            Some(RemoteJob { start_at: None, end_at: None, ..remote("failed", our_window(), "2026-11-21T12:30:00Z") });
        s.run_for(secs(50));
        assert!(s.status().retries.is_none() && s.puts.len() == 1, "{word}: {:?}", s.ready());
        (s.konnect.shown, s.konnect.job) = (None, under_way);
        s.konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1), "{word}");
    }
}

#[test]
fn refusals_and_outages_do_not_count() {
    for error in [api(409), slow_down(None), api(500), no_connection()] {
        let mut s = story(limited_to(0)).konnect_has(theirs("completed"));
        for _ in 0..5 {
            s = s.put_is(Put::Refused(error.clone()));
        }
        s.pass().until("Accepted");
        assert_eq!(s.puts.len(), 6, "{error}");
        assert!(s.status().retries.is_none_or(|retries| !retries.tell_of_a_run()), "{error}");
    }
}

#[test]
fn a_job_that_waits_for_its_next_try_holds_nothing_calls_nobody_and_writes_nothing() {
    let mut s = accepted(job());
    s.konnect_says("failed");
    assert!(!reserves(&s.job, &s.course.memory, s.clock.mono));
    assert_ne!(FirstSight::of(&s.job), FirstSight::Reserves, "nor after a restart");
    let (writes, reads) = (s.writes.len(), s.count(&Step::ReadRemoteJob) + s.count(&Step::TakeTurn));
    for _ in 0..10 {
        s.sleep(secs(2)).pass();
        assert!(matches!(s.last, Step::Wait { cause: WaitCause::Retry, .. }));
    }
    assert_eq!((s.writes.len(), s.count(&Step::ReadRemoteJob) + s.count(&Step::TakeTurn)), (writes, reads));
}

#[test]
fn the_spacing_outlives_a_restart_and_a_clock_that_is_set_back_does_not_lengthen_it() {
    let mut s = accepted(job());
    s.konnect_says("failed");
    let next = s.status().retries.unwrap().next_time.unwrap();
    s.restart().pass();
    assert_eq!(s.reason(), "RemoteFailed");
    s.until("Accepted");
    assert!(s.puts[1].0.wall >= next);
    let mut s = accepted(job());
    s.konnect_says("failed");
    s.clock.wall -= chrono::TimeDelta::hours(20);
    s.pass();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn suspended_between_two_tries_holds_the_next_one_back() {
    let mut s = accepted(job());
    s.konnect_says("failed").edit(|job| job.spec.suspend = true);
    assert_eq!((s.reason().as_str(), &s.last), ("Suspended", &Step::AwaitChange));
    s.sleep(mins(10)).pass();
    assert_eq!(s.puts.len(), 1);
    s.edit(|job| job.spec.suspend = false);
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 2));
}

#[test]
fn a_backoff_limit_that_is_changed_meanwhile_counts() {
    let mut s = accepted(job());
    s.konnect_says("failed").edit(|job| job.spec.backoff_limit = 0);
    assert_eq!(s.reason(), "RemoteFailed", "what was decided stands");
    s.until("Accepted").konnect_says("failed");
    assert_eq!(s.reason(), "BackoffLimitExceeded");
}

#[test]
fn superseded_eleven_times_is_given_up() {
    let mut s = accepted(job());
    for n in 1..=11 {
        s.konnect_says("pending");
        s.konnect.job = strangers("completed");
        s.konnect.job.updated_at = Some(s.clock.wall);
        s.until("Superseded");
        assert_eq!((s.status().retries.unwrap().superseded, s.is(&ConditionType::Failed)), (n, n == 11));
        if n < 11 {
            s.until("Accepted");
        }
    }
    assert!(s.message().contains("11 times") && s.last == Step::AwaitChange, "{}", s.message());
    assert_eq!(s.puts.len(), 11);
}

#[test]
fn the_limits_of_failed_superseded_and_unseen_do_not_eat_each_other() {
    let mut s = accepted(limited_to(1));
    s.konnect_says("failed").until("Accepted");
    s.konnect.job = strangers("completed");
    s.until("Superseded").until("Accepted");
    s.konnect_says("running");
    s.konnect.job = strangers("completed");
    s.until("RemoteStateUnknown").until("Accepted").konnect_says("completed");
    let retries = s.status().retries.unwrap();
    assert_eq!((retries.failed, retries.superseded, retries.ended_unseen), (1, 1, 1));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 4));
}

#[test]
fn two_readings_a_poll_apart_are_needed_however_often_it_is_woken() {
    let mut s = accepted(job());
    s.konnect_says("running").run_for(mins(5));
    s.konnect.job = strangers("completed");
    s.wait();
    let first = s.clock.mono;
    for n in 0..5 {
        s.sleep(secs(1));
        s.annotate(&format!("now-{n}"));
        s.single_pass();
        assert_eq!(s.reason(), "Running", "{n}");
    }
    s.until("RemoteStateUnknown");
    assert!(s.clock.mono - first >= s.policy.poll_interval);
}

#[test]
fn a_run_that_is_not_shown_any_more_after_a_restart_settles_anew_and_is_found_again() {
    let mut s = accepted(job());
    let writes = s.writes.len();
    s.konnect_says("accepted");
    assert_eq!(s.writes.len(), writes, "the word that the answer had already is not worth a write");
    s.restart();
    s.konnect.shown = Some(theirs("completed"));
    s.pass().run_for(mins(1));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1), "settling anew");
    s.until("Superseded");
    s.konnect.shown = None;
    s.until("Accepted").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

#[test]
fn an_accepted_run_that_is_never_shown_is_sent_again_a_limited_number_of_times() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.konnect.shown = Some(theirs("completed"));
    s.pass();
    for _ in 0..400 {
        if s.is(&ConditionType::Finished) {
            break;
        }
        s.wait();
    }
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Superseded", 11));
}

#[test]
fn a_superseded_run_that_completed_after_all_is_complete() {
    let mut s = accepted(job());
    s.konnect.shown = Some(strangers("completed"));
    s.run_for(mins(1)).until("Superseded");
    (s.konnect.shown, s.konnect.job.status) = (None, "completed".to_owned().into());
    s.until("Completed");
    assert_eq!((s.puts.len(), s.submission().end_time), (1, None));
}
