//! The state machine, step by step, with a clock of the test's own.

use serde_json::json;

use super::*;

const SECOND: TimeDelta = TimeDelta::seconds(1);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn window(hour: i64) -> Window {
    Window::new(at(-3600 * (hour + 1)), at(-3600 * hour))
}

fn job() -> Job {
    Job::new(Timings::all(Duration::from_secs(10)), Behaviour::default())
}

fn accepted() -> Job {
    let mut job = job();
    job.put(window(1), "a", at(0), Q1::Replace).unwrap();
    job
}

fn running() -> Job {
    let mut job = accepted();
    job.tick(at(10), true);
    assert!(job.tick(at(20), true).start.is_some());
    job
}

fn status(job: &Job) -> &str {
    job.view().status.as_str()
}

#[test]
fn a_run_passes_through_every_state_in_its_time() {
    let mut job = accepted();
    assert_eq!(status(&job), "accepted");
    assert!(!job.tick(at(10) - SECOND, true).moved);
    assert!(job.tick(at(10), true).moved);
    assert_eq!(status(&job), "pending");
    assert_eq!(job.view().updated_at, Some(at(10)));
    let start = job.tick(at(20), true).start.unwrap();
    assert_eq!(start, Start { run: 1, window: window(1) });
    assert!(!job.tick(at(99), true).moved, "not before the events are delivered");
    job.delivered(1, Ok(3));
    assert!(job.tick(at(99), true).moved);
    assert_eq!(status(&job), "completed");
    let run = job.runs().first().unwrap();
    assert_eq!((run.events, run.ended_at, &run.status), (3, Some(at(99)), &Status::Completed));
}

#[test]
fn a_delivered_run_stays_running_for_its_least_time() {
    let mut job = running();
    job.delivered(1, Ok(0));
    assert!(!job.tick(at(29), true).moved);
    assert!(job.tick(at(30), true).moved);
}

#[test]
fn a_run_waits_in_pending_while_the_region_is_busy() {
    let mut job = accepted();
    job.tick(at(10), false);
    assert!(!job.tick(at(500), false).moved);
    assert!(job.tick(at(500), true).start.is_some());
}

#[test]
fn an_undelivered_run_fails_with_its_reason() {
    let mut job = running();
    job.delivered(1, Err("503".to_owned()));
    job.tick(at(30), true);
    assert_eq!(status(&job), "failed");
    assert_eq!(job.runs().first().unwrap().failure.as_deref(), Some("503"));
}

#[test]
fn a_run_told_to_fail_sends_nothing_and_the_next_one_works() {
    let mut job = accepted();
    job.fail_next(1);
    job.tick(at(10), true);
    assert!(job.tick(at(20), true).start.is_none());
    job.tick(at(30), true);
    assert_eq!(status(&job), "failed");
    job.put(window(1), "a", at(40), Q1::Replace).unwrap();
    job.tick(at(50), true);
    assert!(job.tick(at(60), true).start.is_some());
}

#[test]
fn a_put_is_refused_while_running_whatever_q1_says() {
    for q1 in [Q1::Replace, Q1::Queue, Q1::Refuse] {
        assert_eq!(running().put(window(2), "b", at(21), q1), Err(Busy));
    }
}

#[test]
fn a_put_replaces_what_waits_when_q1_is_replace() {
    let mut job = accepted();
    job.put(window(2), "b", at(1), Q1::Replace).unwrap();
    assert_eq!(job.view().window, Some(window(2)));
    let [first, second] = job.runs() else { panic!("two runs") };
    assert_eq!((first.replaced_by, second.replaced_by), (Some(2), None));
    job.tick(at(11), true);
    assert_eq!(job.tick(at(21), true).start.unwrap().run, 2);
}

#[test]
fn a_put_waits_its_turn_when_q1_is_queue() {
    let mut job = accepted();
    let answer = job.put(window(2), "b", at(1), Q1::Queue).unwrap();
    assert_eq!(answer.window, Some(window(2)), "the answer is the queued job");
    assert_eq!(job.view().window, Some(window(1)), "and GET still shows the first");
    job.tick(at(10), true);
    job.tick(at(20), true);
    job.delivered(1, Ok(0));
    job.tick(at(30), true);
    assert_eq!(status(&job), "completed");
    job.tick(at(40), true);
    assert_eq!((status(&job), job.view().window), ("accepted", Some(window(2))));
}

#[test]
fn a_put_is_refused_when_q1_is_refuse() {
    assert_eq!(accepted().put(window(2), "b", at(1), Q1::Refuse), Err(Busy));
}

#[test]
fn a_manual_job_moves_only_by_hand() {
    let mut job = accepted();
    job.set_manual(true);
    assert!(!job.tick(at(9999), true).moved);
    assert_eq!(job.due(), None);
    assert!(job.advance(Status::Running, at(10_000)).is_some());
    job.delivered(1, Ok(0));
    assert!(!job.tick(at(20_000), true).moved);
    job.advance(Status::Completed, at(20_000));
    assert_eq!(status(&job), "completed");
}

#[test]
fn an_unknown_word_stays_and_refuses() {
    let mut job = running();
    job.advance(Status::from("paused"), at(21));
    assert!(!job.tick(at(9999), true).moved);
    assert_eq!(job.put(window(2), "b", at(22), Q1::Queue), Err(Busy));
    assert!(job.advance(Status::Running, at(23)).is_none(), "a run begins once");
}

#[test]
fn an_unconfigured_job_shows_zero_times() {
    let mut job = running();
    job.advance(Status::Unconfigured, at(21));
    let zero = "0001-01-01T00:00:00Z";
    let expected = json!({"start_at": zero, "end_at": zero, "status": "unconfigured", "updated_at": zero});
    assert_eq!(job.view().to_json(), expected);
}
