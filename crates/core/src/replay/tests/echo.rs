//! What Konnect's own answer to a request says of it: the window in another form than it was sent, a job that is none, or nothing.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Death, Story, story};
use crate::api::{ConditionType, SubmissionState, TimeRange};
use crate::konnect::RemoteJob;
use crate::replay::Step;
use crate::replay::scheduler::TargetKey;

/// A window that no whole minute begins or ends.
fn uneven() -> JobBuilder {
    job().window("2026-11-20T08:00:27Z", "2026-11-20T11:30:28Z")
}

fn cut_to(seconds: i64, builder: JobBuilder) -> Story {
    let mut s = story(builder).konnect_has(theirs("completed"));
    s.konnect.granularity = seconds;
    s
}

#[test]
fn a_window_that_konnect_rounds_is_taken_followed_and_sent_once() {
    for seconds in [60, 3600, 86_400] {
        let mut s = cut_to(seconds, uneven());
        s.pass();
        assert_eq!((s.reason().as_str(), s.status().attempts), ("Accepted", 1), "{seconds}");
        let submitted = s.condition(&ConditionType::Submitted).unwrap().message;
        assert!(submitted.contains("Konnect shows the window as 2026-11-20T"), "{submitted}");
        s.konnect_says("running").run_for(mins(20)).konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len(), s.status().retries), ("Completed", 1, None), "{seconds}");
    }
}

/// The answer is lost, or shows no job: the run is known by the window as Konnect can have rounded it.
#[test]
fn a_rounded_run_is_found_although_its_answer_showed_none() {
    for seconds in [60, 3600, 86_400] {
        let mut s = cut_to(seconds, uneven()).every_put_is(Put::TakenBut(api(502)));
        s.pass().until("Accepted");
        s.konnect_says("running").run_for(mins(20)).konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len(), s.status().attempts), ("Completed", 1, 1), "{seconds}");
    }
}

/// Neither end of it can have been rounded to that of another party's.
#[test]
fn a_window_that_is_no_rounding_of_ours_is_another_partys() {
    let mut s = cut_to(60, uneven()).every_put_is(Put::Refused(api(502)));
    s.pass();
    s.konnect.job = remote("running", range("2026-11-20T08:00:00Z", "2026-11-20T11:30:27Z"), "2026-11-21T12:00:07Z");
    s.run_for(mins(10));
    assert_eq!((s.reason().as_str(), s.status().attempts), ("BlockedByRemoteJob", 0), "{}", s.message());
}

#[test]
fn a_rounded_run_is_found_again_after_a_restart() {
    let mut s = cut_to(60, uneven());
    s.pass().konnect_says("running").restart().pass().run_for(mins(5)).konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

#[test]
fn the_end_says_what_of_the_window_konnect_left_out() {
    let mut s = cut_to(60, uneven());
    s.pass().konnect_says("completed");
    assert!(s.message().contains("2026-11-20T08:00:00Z to 2026-11-20T11:30:00Z"), "{}", s.message());
    assert!(s.message().contains("not all of 2026-11-20T08:00:27Z to 2026-11-20T11:30:28Z"), "{}", s.message());
    let mut s = cut_to(60, job());
    s.pass().konnect_says("completed");
    assert!(!s.message().contains("not all of"), "{}", s.message());
}

#[test]
fn a_rounded_run_that_fails_is_counted_and_made_again() {
    let mut s = cut_to(60, uneven());
    s.pass().konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.submission().state), ("RemoteFailed", SubmissionState::Failed));
    s.until("Accepted").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len(), s.status().attempts), ("Completed", 2, 2));
}

/// A stranger's run in the place of a rounded one is none of ours.
#[test]
fn another_window_than_the_echo_is_another_job() {
    let mut s = cut_to(60, uneven());
    s.pass();
    s.konnect.job = strangers("running");
    s.until("Superseded");
    assert_eq!(s.puts.len(), 1);
}

/// Answers with 2xx that name no run: an empty object, a job that was never set up, and the very job that was there before.
fn empty_successes() -> [RemoteJob; 3] {
    let template = TimeRange { start_at: at("2017-05-01T00:00:00Z"), end_at: at("2017-05-02T00:00:00Z") };
    let nothing = RemoteJob { status: String::new().into(), ..unconfigured() };
    [nothing, remote("unconfigured", template, "2017-05-02T00:00:00Z"), theirs("completed")]
}

#[test]
fn a_success_that_never_shows_is_counted_and_given_up_after_the_third() {
    for answer in empty_successes() {
        let mut s = story(job()).konnect_has(theirs("completed")).every_put_is(Put::Answer(answer.clone()));
        s.pass().until("RemoteStateUnknown");
        let retries = s.status().retries.unwrap();
        assert_eq!((retries.not_shown, s.submission().state), (1, SubmissionState::NotShown));
        assert!(s.is(&ConditionType::Reconciling) && retries.next_time.is_some(), "{:?}", s.ready());
        assert!(s.message().contains("2xx") && s.message().contains("sent again after"), "{}", s.message());
        s.run_for(mins(600));
        assert_eq!((s.reason().as_str(), s.puts.len()), ("RemoteStateUnknown", 3), "{answer:?}");
        assert!(s.is(&ConditionType::Failed) && s.last == Step::AwaitChange);
        assert!(s.message().contains("3 requests") && s.message().contains("not known"), "{}", s.message());
        let apart = |n: usize| s.puts[n].0.mono - s.puts[n - 1].0.mono;
        assert!(apart(1) >= s.policy.settle_time() + secs(48) && apart(2) > apart(1), "{:?}", s.puts);
        let differ = s.puts.windows(2).all(|pair| pair[0].1 != pair[1].1);
        assert!(differ, "the one before may have run, so the next has a window of its own");
    }
}

#[test]
fn a_success_that_shows_late_is_followed_and_not_sent_again() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is(Put::Answer(unconfigured()));
    s.pass().until("RemoteStateUnknown");
    s.konnect.job = ours("running");
    s.until("Running").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

#[test]
fn lost_answers_of_requests_that_were_not_taken_come_ever_more_slowly() {
    for error in [api(503), api(500), no_answer()] {
        let mut s = story(job()).konnect_has(theirs("completed")).every_put_is(Put::Refused(error.clone()));
        s.pass().run_for(mins(360));
        assert!((8..=12).contains(&s.puts.len()), "{error}: {} requests in six hours", s.puts.len());
        let apart: Vec<_> = s.puts.windows(2).map(|pair| pair[1].0.mono - pair[0].0.mono).collect();
        assert!(apart[0] <= s.policy.settle_time() + secs(10), "the first is made again at once: {apart:?}");
        assert!(apart.windows(2).all(|pair| pair[1] + secs(1) >= pair[0]) && apart[3] >= mins(20), "{apart:?}");
        let status = s.status();
        assert_eq!((status.attempts, status.retries.unwrap().not_taken as usize), (0, s.puts.len()), "{error}");
        assert_eq!((s.reason().as_str(), s.is(&ConditionType::Reconciling)), ("NotTaken", true));
        s.konnect.every_put = Put::Taken;
        s.until("Accepted").konnect_says("completed");
        assert_eq!(s.reason(), "Completed");
    }
}

/// Also the first, which would be made again at once: the pass that settles it still has its lane reserved.
#[test]
fn after_a_request_that_was_not_taken_another_target_of_the_lane_goes_first() {
    let mut s = story(job()).konnect_has(theirs("completed")).every_put_is(Put::Refused(api(503)));
    s.pass();
    let mut other = s.course.candidate().cloned().unwrap();
    (other.id.name, other.id.uid) = ("behind".to_owned(), "behind".to_owned());
    other.expires_at += TimeDelta::hours(1);
    other.route.access.target =
        TargetKey::Portal { base_url: other.route.base_url().to_owned(), id: "another".to_owned() };
    let _ = s.scheduler.wait(&other, s.clock.mono);

    s.run_for(mins(30));
    assert_eq!((s.puts.len(), s.reason().as_str()), (1, "NotTaken"), "{:?}", s.puts);
    let who = s.course.candidate().cloned().unwrap();
    assert_eq!(s.scheduler.blocker(&who, s.clock.mono), Some(other.id.clone()));

    let _ = s.scheduler.reserve(&other, s.clock.mono).and(s.scheduler.accepted(&other.route, s.clock.mono));
    let _ = s.scheduler.gone(&other.id, s.clock.mono);
    s.run_for(mins(30));
    assert!(s.puts.len() > 1, "and then this one again");
}

#[test]
fn a_request_whose_answer_was_lost_keeps_its_window_and_looks_for_duplicates() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is_refused(api(503));
    s.pass().until("Accepted");
    assert_eq!((s.puts.len(), s.puts[0].1), (2, s.puts[1].1));
    assert_eq!(s.count(&Step::ReadSiblings), 2);
}

#[test]
fn a_request_that_a_crash_kept_from_being_sent_is_counted_as_not_taken_once() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.dies = Some(Death::BeforePut);
    s.pass().restart().pass().until("Accepted");
    assert_eq!((s.puts.len(), s.status().retries.unwrap().not_taken, s.status().attempts), (1, 1, 1));
}
