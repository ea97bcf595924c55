//! "GET finds, after our PUT" (docs/konnect-api.md 1), row by row: of a request in doubt, of one that Konnect took, and of a run
//! that was adopted.

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Death, Story, story, story_of};
use crate::api::{ConditionType, SubmissionState};
use crate::konnect::RemoteJob;

/// A process that has just begun, and finds `job` as another left it.
fn taken_over(job: JobBuilder, konnect: RemoteJob) -> Story {
    let mut s = story(job).konnect_has(konnect);
    s.pass();
    s
}

#[test]
fn our_window_under_way_is_followed_and_not_sent_again() {
    for (word, reason) in [("accepted", "Accepted"), ("pending", "RemotePending"), ("running", "Running")] {
        for builder in [job().intended(), job().submitted()] {
            let mut s = taken_over(builder, ours(word));
            s.until(reason).run_for(mins(30));
            assert_eq!(s.submission().state, SubmissionState::Accepted);
            assert_eq!((s.status().attempts, s.puts.len()), (1, 0), "{word}");
            s.konnect_says("completed");
            assert_eq!(s.reason(), "Completed", "{word}");
        }
    }
}

#[test]
fn our_window_at_its_end_is_ours_when_the_job_has_changed_since_before() {
    for builder in [job().intended(), job().submitted()] {
        let mut s = taken_over(builder, ours("completed"));
        s.until("Completed");
        assert_eq!(s.puts.len(), 0);
    }
    for builder in [job().intended(), job().submitted()] {
        let mut s = taken_over(builder, ours("failed"));
        s.until("RemoteFailed");
        assert!(s.puts.is_empty() && s.status().retries.unwrap().failed == 1);
    }
}

#[test]
fn the_very_job_from_before_is_sent_again_once_the_settle_time_has_passed() {
    for builder in [job().intended(), job().submitted()] {
        let mut s = taken_over(builder, theirs("completed"));
        let begun = s.clock.mono;
        while s.puts.is_empty() {
            s.wait();
        }
        assert!(s.puts[0].0.mono - begun >= s.policy.settle_time());
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1));
    }
}

#[test]
fn a_get_that_lags_behind_the_put_proves_nothing() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.konnect.shown = Some(theirs("completed"));
    s.pass().run_for(secs(60));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1));
    s.konnect.shown = None;
    s.konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

/// A reading made before the settle time is over must not be judged as if it had been made after it.
#[test]
fn a_reading_counts_from_when_it_was_made() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.konnect.shown = Some(theirs("completed"));
    s.pass();
    let first = s.puts[0].0.mono;
    let settled = first + s.policy.settle_time();
    s.sleep(settled - secs(3) - s.clock.mono);
    s.konnect.get_takes = secs(5);
    s.konnect.webhook_takes = secs(0);
    s.konnect.shown = Some(theirs("completed"));
    s.single_pass();
    assert_eq!(s.puts.len(), 1, "{:?}", s.trace);
}

#[test]
fn another_window_twice_means_that_ours_was_superseded_and_it_is_sent_again() {
    for builder in [job().intended(), job().submitted(), job().submitted().last_read_as("pending"), job().adopted()] {
        let mut s = taken_over(builder, strangers("running"));
        s.until("Superseded");
        assert!(s.is(&ConditionType::Reconciling) && !s.is(&ConditionType::Failed));
        assert_eq!((s.submission().state, s.status().retries.unwrap().superseded), (SubmissionState::Superseded, 1));
        assert!(s.submission().end_time.is_some() && s.message().contains("sent again after"), "{}", s.message());
        s.run_for(mins(60));
        assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0), "theirs is not overwritten");
        s.konnect.job = strangers("completed");
        s.until("Accepted").konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
    }
}

#[test]
fn another_window_twice_after_running_means_that_ours_ended_unseen_and_it_is_repeated_once() {
    for builder in [job().submitted(), job().adopted()] {
        let mut s = taken_over(builder.last_read_as("running"), strangers("running"));
        s.until("RemoteStateUnknown");
        assert_eq!((s.submission().state, s.status().retries.unwrap().ended_unseen), (SubmissionState::EndedUnseen, 1));
        assert!(s.is(&ConditionType::Reconciling) && s.message().contains("repeated once"), "{}", s.message());
        s.konnect.job = strangers("completed");
        s.until("Accepted").konnect_says("running");
        assert_eq!(s.puts.len(), 1);
        s.konnect.job = strangers("accepted");
        s.until("RemoteStateUnknown");
        assert!(s.is(&ConditionType::Failed) && s.message().contains("2 times"), "{}", s.message());
        assert_eq!((&s.last, s.puts.len()), (&crate::replay::Step::AwaitChange, 1));
    }
}

#[test]
fn another_window_once_is_not_believed() {
    let mut s = taken_over(job().submitted(), ours("running"));
    s.konnect.shown = Some(strangers("completed"));
    let writes = s.writes.len();
    s.wait();
    s.konnect.shown = None;
    s.wait();
    s.konnect.shown = Some(strangers("completed"));
    s.wait();
    assert_eq!(s.writes.len(), writes, "{:?}", s.told());
    s.konnect.shown = None;
    s.wait().konnect_says("completed");
    assert_eq!(s.reason(), "Completed");
}

#[test]
fn ours_coming_back_into_view_is_followed_again() {
    let mut s = taken_over(job().submitted(), strangers("running"));
    s.until("Superseded");
    s.konnect.job = ours("running");
    s.until("Running").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 0));
}

#[test]
fn the_window_from_before_run_anew_by_somebody_is_another_job() {
    for builder in [job().intended(), job().submitted()] {
        let again = remote("running", their_window(), "2026-11-21T11:59:00Z");
        let mut s = taken_over(builder, again);
        s.until("Superseded").run_for(mins(60));
        assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0));
    }
}

#[test]
fn unconfigured_where_there_was_a_job_is_a_lost_state() {
    for builder in [job().intended(), job().submitted(), job().adopted()] {
        let mut s = taken_over(builder, unconfigured());
        s.until("Superseded").until("Accepted");
        assert_eq!(s.puts.len(), 1);
    }
    let mut s = taken_over(job().submitted().last_read_as("running"), unconfigured());
    s.until("RemoteStateUnknown").until("Accepted");
    assert_eq!((s.puts.len(), s.status().retries.unwrap().ended_unseen), (1, 1));
}

#[test]
fn unconfigured_once_is_not_believed() {
    let mut s = taken_over(job().submitted(), ours("running"));
    s.run_for(mins(5));
    s.konnect.shown = Some(unconfigured());
    s.wait();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Running", 0));
    s.konnect.shown = None;
    s.wait().konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 0));
}

#[test]
fn unconfigured_where_there_was_none_before_means_not_taken() {
    let mut s = story(job()).put_is_refused(no_answer());
    s.pass().until("Accepted");
    assert_eq!(s.puts.len(), 2);
}

#[test]
fn a_run_that_was_seen_is_not_sent_again_because_the_job_from_before_is_shown() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.pass().konnect_says("running").run_for(mins(5));
    s.konnect.shown = Some(theirs("completed"));
    s.wait();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Running", 1), "once is not believed");
    s.run_for(secs(50));
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Running", 1), "as long as a GET may lag");
    s.until("RemoteStateUnknown");
    assert_eq!(s.puts.len(), 1);
    s.konnect.shown = None;
    s.until("Running").konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

#[test]
fn a_crash_on_either_side_of_the_put_ends_in_one_run() {
    for (death, puts) in [(Death::BeforePut, 1), (Death::AfterPut, 1)] {
        let mut s = story(job()).konnect_has(theirs("completed"));
        s.dies = Some(death);
        s.pass().restart().pass();
        assert_eq!(s.reason(), "Submitting");
        s.until("Accepted").konnect_says("running").konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len(), s.status().attempts), ("Completed", puts, 1), "{death:?}");
    }
}

#[test]
fn a_run_that_ended_while_nobody_looked_is_not_sent_again() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.dies = Some(Death::AfterPut);
    s.pass().restart();
    s.konnect.job.status = "completed".to_owned().into();
    s.pass().until("Completed");
    assert_eq!(s.puts.len(), 1);
}

#[test]
fn the_settle_time_counts_from_first_sight_and_not_from_what_the_record_says() {
    for intent_time in ["2020-01-01T00:00:00Z", "2026-11-21T12:00:00Z", "2099-01-01T00:00:00Z"] {
        let mut builder = job().intended().build();
        builder.status.as_mut().unwrap().submission.as_mut().unwrap().intent_time = at(intent_time);
        let mut s = story_of(builder);
        s.pass();
        assert_eq!(s.waits(), s.policy.settle_time(), "{intent_time}");
        s.sleep(secs(69)).pass();
        assert_eq!(s.waits(), secs(1), "{intent_time}");
    }
}

#[test]
fn every_restart_begins_the_settle_time_anew() {
    let mut s = taken_over(job().intended(), theirs("completed"));
    s.sleep(secs(60)).restart().pass();
    assert_eq!(s.waits(), s.policy.settle_time());
}

#[test]
fn a_state_of_a_newer_version_is_settled_like_one_in_doubt() {
    let mut s = taken_over(job().with_submission("Teleported".to_owned().into()), ours("running"));
    assert_eq!(s.reason(), "Submitting");
    s.until("Running");
    assert_eq!(s.puts.len(), 0);
}

#[test]
fn in_doubt_and_unreadable_is_never_sent() {
    for error in [api(401), api(404), api(429), api(500), no_connection(), html()] {
        let mut s = story(job().intended()).get_fails(error.clone());
        s.pass().run_for(mins(60));
        assert_eq!(s.puts.len(), 0, "{error}");
    }
}

#[test]
fn a_put_that_lasted_long_is_settled_from_a_reading_after_it() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is(Put::TakenBut(no_answer()));
    s.policy.get_lag = secs(0);
    s.konnect.put_takes = secs(30);
    s.write_takes = secs(6);
    s.pass().until("Accepted");
    assert_eq!((s.puts.len(), s.told()), (1, ["Pending", "Submitting", "Accepted"].map(str::to_owned).to_vec()));
}

#[test]
fn whoever_loses_the_write_of_an_intent_sends_nothing_until_the_other_is_settled() {
    for theirs_was_sent in [true, false] {
        let mut s = story(job()).konnect_has(theirs("completed"));
        s.overtaken = true;
        s.pass();
        assert_eq!((s.submission().id.as_str(), s.puts.len()), ("of-another-process", 0));
        assert_eq!(s.waits(), s.policy.settle_time());
        if theirs_was_sent {
            s.konnect.job = ours("accepted");
        }
        s.until("Accepted").konnect_says("completed");
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", usize::from(!theirs_was_sent)));
    }
}

/// Two answers of Konnect's may come in the wrong order: a run was adopted, and the next GET shows the one before it, of the same
/// window. Found by the model check.
#[test]
fn a_lagging_get_that_shows_an_earlier_run_of_our_window_is_not_the_end_of_this_one() {
    for (builder, earlier) in [(job().adopted(), "2026-11-21T11:59:00Z"), (job().submitted(), "2026-11-20T12:00:00Z")] {
        for word in ["failed", "completed"] {
            let mut s = story(builder.clone()).konnect_has(remote(word, our_window(), earlier));
            s.pass();
            assert!(!s.is(&ConditionType::Finished) && s.status().retries.is_none(), "{word}: {:?}", s.ready());
            s.run_for(mins(3));
            let ended = s.is(&ConditionType::Finished) || s.status().retries.is_some();
            assert!(ended, "{word}: what is shown for longer than a GET may lag is believed");
        }
    }
}
