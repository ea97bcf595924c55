//! Windows that were replayed before, and windows of which a part is deleted.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::{deliveries, webhook};
use super::story::{Story, story};
use crate::api::{AuditLogReplayJob, ConditionStatus, ConditionType, SubmissionState};
use crate::konnect::Webhook;
use crate::replay::{Sibling, Step};

/// Another object of the namespace that has completed the window of [`job`].
fn complete(builder: JobBuilder) -> AuditLogReplayJob {
    let mut s = story(builder);
    s.job.metadata.name = Some("earlier".to_owned());
    s.pass().konnect_says("completed");
    assert!(s.is(&ConditionType::Complete));
    s.job
}

fn after(sibling: &AuditLogReplayJob) -> Story {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.siblings = Sibling::of(sibling, &s.policy).into_iter().collect();
    s
}

fn skipped(s: &Story) -> bool {
    s.reason() == "AlreadyReplayed" && s.is(&ConditionType::Complete) && s.puts.is_empty()
}

#[test]
fn what_an_object_of_the_namespace_has_completed_is_not_sent_again_and_says_so() {
    let mut s = after(&complete(job()));
    s.pass();
    assert!(skipped(&s) && s.last == Step::AwaitChange, "{:?}", s.ready());
    assert!(s.message().contains("AuditLogReplayJob earlier") && s.message().contains("200"), "{}", s.message());
    assert!(s.status().completion_time.is_some());
}

/// The same with another window that Konnect showed at the end.
fn that_replayed(mut sibling: AuditLogReplayJob, start: i64, end: i64) -> AuditLogReplayJob {
    let shown = sibling.status.as_mut().unwrap().konnect.as_mut().unwrap();
    shown.start_at = shown.start_at.map(|at| at + TimeDelta::seconds(start));
    shown.end_at = shown.end_at.map(|at| at + TimeDelta::seconds(end));
    sibling
}

#[test]
fn it_is_skipped_only_if_every_second_of_its_window_was_replayed() {
    for (start, end, skips) in [
        (0, 0, true),
        (0, 59, true),
        (-59, 0, true),
        (-3600, 7200, true),
        (1, 0, false),
        (0, -1, false),
        (59, -59, false),
        (50, 50, false),
        (-50, -50, false),
    ] {
        let mut s = after(&that_replayed(complete(job()), start, end));
        s.pass();
        assert_eq!(skipped(&s), skips, "{start} {end}");
        let mut s = story(job());
        s.konnect.job = remote("completed", our_window(), "2026-11-21T11:59:00Z");
        s.konnect.job.start_at = s.konnect.job.start_at.map(|at| at + TimeDelta::seconds(start));
        s.konnect.job.end_at = s.konnect.job.end_at.map(|at| at + TimeDelta::seconds(end));
        s.pass();
        assert_eq!(skipped(&s), skips, "Konnect's last job: {start} {end}");
    }
}

#[test]
fn windows_within_the_same_minute_that_share_no_second_are_both_sent() {
    let mut s = after(&complete(job().window("2026-11-20T10:00:00Z", "2026-11-20T10:00:10Z")));
    s.job.spec.window = crate::api::WindowSpec::new(at("2026-11-20T10:00:50Z"), at("2026-11-20T10:01:00Z"));
    s.pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1));
}

/// A Complete object whose run's deliveries were answered so.
fn answered(code: i32, attempted: Option<&str>) -> AuditLogReplayJob {
    let mut s = story(job());
    s.job.metadata.name = Some("earlier".to_owned());
    s.pass();
    s.konnect.webhook_status = Some(deliveries("active", code));
    s.konnect.webhook_status.as_mut().unwrap().last_attempt_at = attempted.map(at);
    s.konnect_says("completed");
    assert_eq!(s.reason(), "Completed");
    s.job
}

/// The receiver refused the events, was repaired, and takes live events since: its answers of today say nothing about the run.
#[test]
fn an_object_whose_deliveries_failed_does_not_count_however_the_webhook_answers_now() {
    for sibling in [
        answered(403, None),
        answered(503, None),
        answered(200, Some("2026-11-20T12:00:00Z")),
        that_could_not_look_at_the_webhook(),
    ] {
        let mut s = after(&sibling);
        s.pass();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1), "{:?}", sibling.status.unwrap().webhook);
    }
    let mut s = after(&answered(204, Some("2026-11-21T12:00:03Z")));
    s.pass();
    assert!(skipped(&s) && s.message().contains("204"), "{:?}", s.ready());
}

/// The receiver refused the events of the run, and was repaired since: the record of the very run that Konnect still shows decides, and
/// not what the webhook answers today.
#[test]
fn a_record_that_shows_no_delivery_outweighs_what_the_webhook_answers_today() {
    for sibling in [answered(403, None), answered(200, Some("2026-11-20T12:00:00Z"))] {
        let mut s = after(&sibling);
        s.konnect.job =
            crate::replay::facts::record::remote_job(sibling.status.as_ref().unwrap().konnect.as_ref().unwrap());
        s.pass();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1), "{:?}", sibling.status.unwrap().webhook);
    }
}

fn that_could_not_look_at_the_webhook() -> AuditLogReplayJob {
    let mut s = story(job());
    s.pass();
    s.konnect.webhook = Err(no_answer());
    s.konnect_says("completed");
    s.job
}

#[test]
fn what_the_receiver_answers_today_does_not_undo_a_delivery_on_record() {
    let mut s = after(&complete(job()));
    s.konnect.webhook_status = Some(deliveries("inactive", 503));
    s.pass();
    assert!(skipped(&s), "{:?}", s.ready());
}

#[test]
fn what_went_to_another_destination_does_not_count() {
    let elsewhere = |id: Option<&str>| Webhook { audit_log_destination_id: id.map(str::to_owned), ..webhook(true) };
    for (then, today, skips) in [
        (Some("destination-1"), Some("destination-1"), true),
        (Some("destination-1"), Some("destination-2"), false),
        (Some("destination-1"), None, false),
        (None, Some("destination-1"), false),
        (None, None, true),
    ] {
        let mut earlier = story(job());
        earlier.konnect.webhook = Ok(elsewhere(then));
        earlier.pass().konnect_says("completed");
        let mut s = after(&earlier.job);
        s.konnect.webhook = Ok(elsewhere(today));
        s.pass();
        assert_eq!(skipped(&s), skips, "{then:?} {today:?}");
    }
}

#[test]
fn an_object_that_was_skipped_itself_has_no_record_of_a_delivery() {
    let mut s = after(&complete(job()));
    s.pass();
    assert!(skipped(&s));
    assert_eq!(Sibling::of(&s.job, &policy()), None);
}

/// Without a record the time of the last answer is all there is: one from before that run says nothing of it.
#[test]
fn konnects_last_job_counts_only_with_an_answer_from_its_time_or_later() {
    for (attempted, skips) in
        [("2026-11-20T12:00:00Z", false), ("2026-11-21T11:45:00Z", false), ("2026-11-21T11:55:00Z", true), (NOW, true)]
    {
        let mut s = story(job()).konnect_has(remote("completed", our_window(), "2026-11-21T11:58:00Z"));
        s.konnect.webhook_status.as_mut().unwrap().last_attempt_at = Some(at(attempted));
        s.pass();
        assert_eq!(skipped(&s), skips, "{attempted}");
        assert!(!skips || s.message().contains("No object here has a record of that run"), "{}", s.message());
    }
    let mut s = story(job()).konnect_has(remote("completed", our_window(), "2026-11-21T11:58:00Z"));
    s.konnect.never_delivered = true;
    s.pass();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn another_target_another_region_and_an_unfinished_object_do_not_count() {
    for other in [job().for_the_organization(), job().in_region("us")] {
        let mut s = after(&complete(other));
        s.pass();
        assert_eq!(s.reason(), "Accepted");
    }
    for unfinished in [job().build(), job().submitted().build()] {
        assert_eq!(Sibling::of(&unfinished, &policy()), None);
    }
    let mut failed = story(job()).put_is_refused(api(400));
    failed.pass();
    assert_eq!(Sibling::of(&failed.job, &policy()), None);
}

#[test]
fn konnects_last_job_counts_too_if_it_completed() {
    for (word, reason) in [("completed", "AlreadyReplayed"), ("failed", "Accepted")] {
        let mut s = story(job()).konnect_has(ours(word));
        s.pass();
        assert_eq!(s.reason(), reason, "{word}");
    }
}

#[test]
fn without_a_record_and_without_a_success_of_the_webhook_it_is_sent() {
    for status in [Some(deliveries("inactive", 413)), Some(deliveries("active", 302)), None] {
        let mut s = story(job()).konnect_has(ours("completed"));
        s.konnect.webhook_status.clone_from(&status);
        s.pass();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 1), "{status:?}");
    }
}

#[test]
fn with_webhook_policy_ignore_the_webhook_is_looked_at_only_where_it_decides() {
    let mut s = story(job().ignoring_the_webhook()).konnect_has(ours("completed"));
    s.konnect.webhook = Ok(webhook(false));
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadWebhook { brief: true })), ("AlreadyReplayed", 1));
    let mut s = story(job().ignoring_the_webhook()).konnect_has(ours("completed"));
    s.konnect.webhook = Err(no_answer());
    s.pass();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn replay_sends_once_under_its_own_window_and_adopts_nobodys_run() {
    let mut s = after(&complete(job()));
    s.job.spec.duplicate_policy = crate::api::DuplicatePolicy::Replay;
    s.konnect.job = ours("completed");
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadSiblings)), ("Accepted", 0));
    assert_ne!(s.puts[0].1, our_window());
    let mut s = story(job().replaying()).konnect_has(ours("running"));
    s.pass().run_for(mins(10));
    assert_eq!((s.reason().as_str(), s.status().submission), ("BlockedByRemoteJob", None));
    s.konnect.job.status = "completed".to_owned().into();
    s.wait();
    let ended = s.clock.mono;
    s.until("Accepted").konnect_says("completed");
    assert!(s.puts[0].0.mono - ended >= s.policy.poll_interval * 2, "its owner sees the end first");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

#[test]
fn siblings_are_asked_for_once_a_pass_before_the_first_request_and_not_after_it() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.pass();
    assert_eq!(s.count(&Step::ReadSiblings), 1);
    let place = |wanted: &Step| s.trace.iter().position(|step| step == wanted).unwrap();
    assert!(place(&Step::ReadSiblings) < place(&Step::ReadWebhook { brief: false }));
    s.konnect_says("failed").until("Accepted");
    assert_eq!(s.count(&Step::ReadSiblings), 1);
}

/// A window whose first hour has left retention.
fn half_expired() -> JobBuilder {
    job().window("2026-11-14T10:00:00Z", "2026-11-14T18:00:00Z")
}

#[test]
fn clamp_sends_what_is_left_and_says_so() {
    let mut s = story(half_expired().clamping());
    s.pass();
    let sent = s.puts[0].1;
    assert_eq!((sent.start_at, sent.end_at), (at("2026-11-14T12:01:04Z"), at("2026-11-14T18:00:00Z")));
    let planned = s.status().window.unwrap();
    assert!(planned.clamped && planned.start_at == sent.start_at);
    assert_eq!(s.condition(&ConditionType::Submitted).unwrap().reason, "WindowClamped");
    assert!(s.message().contains("from 2026-11-14T10:00:00Z, is deleted"), "{}", s.message());
    s.konnect_says("completed");
    assert!(s.reason() == "Completed" && s.message().contains("is deleted"), "{}", s.message());
}

#[test]
fn a_later_try_sends_the_same_clamped_window_until_it_has_expired_too() {
    let mut s = story(half_expired().clamping()).put_is_refused(no_answer());
    s.policy.retention = secs(168 * 3600 - 120);
    s.pass();
    let first = s.puts[0].1;
    s.policy.retention = secs(168 * 3600);
    s.until("Accepted");
    assert_eq!(s.puts[1].1, first, "frozen");
    s.konnect_says("failed").run_for(mins(1));
    assert_eq!(s.puts.len(), 3);
    assert_eq!(s.puts[2].1.start_at, first.start_at, "still there");
    s.konnect_says("failed").until("Accepted");
    assert!(s.puts[3].1.start_at > first.start_at, "expired meanwhile: {:?}", s.puts);
    assert!(s.status().window.unwrap().clamped);
}

#[test]
fn a_window_that_is_wholly_deleted_fails_under_both_policies() {
    for builder in [job(), job().clamping()] {
        let mut s = story(builder.window("2026-11-10T10:00:00Z", "2026-11-10T18:00:00Z"));
        s.pass();
        assert!(s.reason() == "WindowExpired" && s.is(&ConditionType::Failed));
    }
    let mut s = story(job().clamping().window("2026-11-14T10:00:00Z", "2026-11-14T12:00:00Z"));
    s.pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("WindowExpired", 0), "by Konnect's clock");
}

#[test]
fn clamp_leaves_a_whole_window_alone_and_never_begins_after_the_end() {
    let mut s = story(job().clamping());
    s.pass();
    assert!(s.puts[0].1 == our_window() && !s.status().window.unwrap().clamped);
    let mut s = story(job().clamping().window("2026-11-14T10:00:00Z", "2026-11-14T12:00:30Z"));
    s.pass();
    assert_eq!(s.puts[0].1.start_at, s.puts[0].1.end_at);
}

#[test]
fn konnects_clock_decides_what_is_left() {
    let mut s = story(half_expired().clamping()).konnect_is_ahead(TimeDelta::minutes(10));
    s.pass();
    assert_eq!(s.puts[0].1.start_at, at("2026-11-14T12:11:04Z"));
}

#[test]
fn in_doubt_under_a_clamped_window_is_recognised_after_a_crash() {
    let mut s = story(half_expired().clamping());
    s.dies = Some(super::story::Death::AfterPut);
    s.pass().restart().pass().until("Accepted");
    assert_eq!((s.submission().state, s.puts.len()), (SubmissionState::Accepted, 1));
    assert_eq!(s.condition(&ConditionType::Submitted).unwrap().status, ConditionStatus::True);
}
