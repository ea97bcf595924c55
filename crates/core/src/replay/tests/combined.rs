//! Cases in which several rules meet, or several jobs.

use chrono::TimeDelta;

use super::fixtures::*;
use super::konnect::{Put, deliveries, webhook};
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::konnect::Webhook;
use crate::replay::scheduler::{Candidate, Turn};
use crate::replay::{Sibling, Step, TokenProblem};

fn other(s: &Story, name: &str) -> Candidate {
    let mut who = Candidate::of(&s.job, &s.policy).unwrap();
    who.id.name = name.to_owned();
    who.id.uid = name.to_owned();
    who
}

fn not_taken(s: &Story) -> u32 {
    s.status().retries.map_or(0, |retries| retries.not_taken)
}

fn until_not_taken(s: &mut Story, count: u32) {
    s.pass();
    for _ in 0..500 {
        if not_taken(s) >= count {
            return;
        }
        s.wait();
    }
    panic!("never");
}

#[test]
fn try_now_is_heard_after_lost_answers() {
    let mut s = story(job()).every_put_is(Put::Refused(api(503)));
    until_not_taken(&mut s, 4);
    s.konnect.every_put = Put::Taken;
    s.run_for(secs(20));
    let before = s.puts.len();
    s.request("now").run_for(secs(60));
    assert!(s.puts.len() > before, "not tried within a minute");
}

#[test]
fn others_of_the_target_wait_ten_minutes_at_most() {
    for count in 1..=6 {
        let mut s = story(job()).every_put_is(Put::Refused(api(503)));
        until_not_taken(&mut s, count);
        let b = other(&s, "b");
        let start = s.clock.mono;
        let mut waited = None;
        for n in 0..500 {
            let now = start + secs(15 * n);
            let (turn, _) = s.scheduler.clone().take(&b, false, now);
            if turn == Turn::Ours {
                waited = Some(15 * n);
                break;
            }
        }
        let expected = [0, 0, 60, 120, 240, 480, 600];
        assert!(count == 1 || waited == Some(expected[count as usize]), "after {count} lost answers: {waited:?} s");
    }
}

#[test]
fn a_window_is_not_lost_to_the_spacing() {
    // Expires in 60 minutes.
    let mut s =
        story(job().window("2026-11-14T13:00:00Z", "2026-11-14T14:00:00Z")).every_put_is(Put::Refused(api(503)));
    s.pass();
    s.run_for(mins(36));
    s.konnect.every_put = Put::Taken;
    s.run_for(mins(80));
    assert!(s.submission().accepted.is_some(), "{:?}", s.ready());
}

#[test]
fn edits_have_a_floor_too() {
    let mut s = story(job());
    s.konnect.webhook = Ok(webhook(false));
    s.konnect.webhook_takes = secs(0);
    s.konnect.get_takes = secs(0);
    s.pass();
    let before = s.count(&Step::ReadWebhook { brief: false });
    for n in 0..20 {
        s.edit(|job| job.spec.ttl_seconds_after_finished = Some(100 + n));
        s.sleep(secs(1));
    }
    let asked = s.count(&Step::ReadWebhook { brief: false }) - before;
    assert!(asked <= 3, "{asked} calls in 20 s");
}

#[test]
fn an_unread_run_is_not_given_up_by_a_clock_that_is_wrong_for_a_moment() {
    let mut s = story(job());
    s.pass();
    s.token = Err(TokenProblem::SecretNotFound);
    s.run_for(mins(65));
    s.clock.wall += TimeDelta::days(9);
    s.sleep(secs(60)).single_pass();
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
}

#[test]
fn conditions_of_a_finished_object_follow_an_edit_during_the_run() {
    let mut s = story(job());
    s.pass();
    s.edit(|job| job.spec.ttl_seconds_after_finished = Some(100_000));
    s.konnect_says("completed");
    assert!(s.is(&ConditionType::Complete));
    assert!(s.status().conditions.iter().all(|c| c.observed_generation == Some(2)));
}

fn complete(builder: JobBuilder, code: i32) -> Story {
    let mut s = story(builder);
    s.job.metadata.name = Some("earlier".to_owned());
    s.konnect.webhook_status = Some(deliveries("active", code));
    s.pass().konnect_says("completed");
    assert!(s.is(&ConditionType::Complete));
    s
}

#[test]
fn a_record_of_refused_deliveries_counts_under_another_secret_of_the_organisation() {
    let a = complete(job().for_the_organization(), 403);
    let mut b = story(job().for_the_organization().with(|spec| spec.token_secret_ref.name = "rotated".to_owned()))
        .konnect_has(a.konnect.job.clone());
    b.siblings = Sibling::of(&a.job, &a.policy).into_iter().collect();
    b.sleep(mins(30)).pass();
    assert_ne!(b.reason(), "AlreadyReplayed", "{}", b.message());
}

#[test]
fn a_destination_that_changed_during_the_run_is_no_record() {
    let mut a = story(job());
    a.job.metadata.name = Some("earlier".to_owned());
    a.pass();
    a.konnect_says("running");
    a.konnect.webhook =
        Ok(Webhook { enabled: Some(true), audit_log_destination_id: Some("destination-2".to_owned()), endpoint: None });
    a.konnect_says("completed");
    let mut b = story(job()).konnect_has(theirs("completed"));
    b.konnect.webhook = a.konnect.webhook.clone();
    b.siblings = Sibling::of(&a.job, &a.policy).into_iter().collect();
    b.pass();
    assert_ne!(b.reason(), "AlreadyReplayed", "{}", b.message());
}

#[test]
fn an_answer_to_the_failed_run_before_is_no_evidence() {
    let mut a = story(job());
    a.job.metadata.name = Some("earlier".to_owned());
    a.pass();
    let first = a.clock.wall;
    a.sleep(mins(10));
    a.konnect_says("failed");
    a.until("Accepted");
    a.sleep(mins(30));
    let mut status = deliveries("active", 200);
    status.last_attempt_at = Some(first);
    a.konnect.webhook_status = Some(status);
    a.konnect_says("completed");
    assert!(a.is(&ConditionType::Complete));
    let mut b = story(job()).konnect_has(theirs("completed"));
    b.siblings = Sibling::of(&a.job, &a.policy).into_iter().collect();
    b.pass();
    assert_ne!(b.reason(), "AlreadyReplayed", "{}", b.message());
}

#[test]
fn a_webhook_that_is_off_by_its_status_stays_off_for_others() {
    let mut s = story(job());
    s.konnect.webhook_status.as_mut().unwrap().webhook_enabled = Some(false);
    s.pass();
    assert_eq!(s.reason(), "WaitingForWebhook");
    let b = other(&s, "b");
    let _ = s.scheduler.take(&b, false, s.clock.mono);
    s.sleep(secs(70)).begin();
    let reading = s.konnect.webhook.clone();
    let what = crate::replay::WebhookReading { config: reading, status: s.konnect.webhook_status.clone() };
    let clock = s.clock;
    let (course, mut around) = s.around();
    let woken: Vec<_> = course.webhook(clock, what, &mut around).into_iter().collect();
    assert!(!woken.contains(&b.id), "woken although nothing has changed: {woken:?}");
}

#[test]
fn polls_of_a_hung_run_do_not_forget_that_the_last_put_failed() {
    let mut a = story(job());
    a.pass();
    a.konnect_says("running");
    a.run_for(mins(62));
    assert!(!a.scheduler.reserves(&Candidate::of(&a.job, &a.policy).unwrap().id), "quiet");
    let portal = |s: &Story, name: &str, n: u8| {
        let mut who = Candidate::of(
            &job().for_portal(Some(&format!("6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f{n}"))).build(),
            &s.policy,
        )
        .unwrap();
        who.id.name = name.to_owned();
        who.id.uid = name.to_owned();
        who
    };
    let (bad, good) = (portal(&a, "bad", 11), portal(&a, "good", 12));
    for with_polls in [false, true] {
        let mut s = a.scheduler.clone();
        let now = a.clock.mono;
        assert_eq!(s.take(&bad, false, now).0, Turn::Ours);
        let _ = s.failed(&bad, crate::replay::step::WaitCause::NotTaken, secs(0), now);
        let _ = s.wait(&bad, now);
        let _ = s.wait(&good, now);
        if with_polls {
            let mut story_with = story_clone(&a);
            story_with.scheduler = s.clone();
            story_with.sleep(secs(15)).single_pass();
            s = story_with.scheduler;
        }
        let now = now + secs(16);
        assert_ne!(s.clone().take(&bad, false, now).0, Turn::Ours, "with polls: {with_polls}");
    }
}

fn story_clone(s: &Story) -> Story {
    let mut t = story(job());
    t.job = s.job.clone();
    t.course.memory = s.course.memory.clone();
    t.clock = s.clock;
    t.konnect.job = s.konnect.job.clone();
    t
}

#[test]
fn try_now_is_heard_by_a_job_that_waits_for_what_another_found() {
    let mut a = story(job()).every_put_is(Put::Refused(api(403)));
    a.pass();
    a.run_for(mins(12));
    let mut b = story(job().window("2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"));
    b.job.metadata.name = Some("b".to_owned());
    b.job.metadata.uid = Some("b".to_owned());
    b.scheduler = a.scheduler.clone();
    b.clock = a.clock;
    b.pass();
    b.sleep(secs(20));
    b.request("now").run_for(secs(30));
    assert!(!b.puts.is_empty(), "try now was not heard");
}

#[test]
fn a_jobs_own_try_now_is_heard_after_an_hour_of_refusals() {
    for code in [403, 409] {
        let mut s = story(job()).every_put_is(Put::Refused(api(code)));
        s.pass().run_for(mins(60));
        let sent = s.puts.len();
        while s.puts.len() == sent {
            s.wait();
        }
        s.run_for(mins(3));
        let before = s.puts.len();
        s.konnect.every_put = Put::Taken;
        s.request("now").run_for(secs(60));
        assert!(s.puts.len() > before, "{code}: {}", s.message());
    }
}

#[test]
fn a_refused_job_whose_secret_is_gone_ends_when_its_window_has_expired() {
    for answer in [403, 503] {
        let mut s = story(job()).every_put_is(Put::Refused(api(answer)));
        s.pass().run_for(mins(5));
        s.token = Err(TokenProblem::SecretNotFound);
        for _ in 0..(9 * 24 * 4) {
            s.run_for(mins(15));
            if s.is(&ConditionType::Failed) {
                break;
            }
        }
        assert_eq!(s.reason(), "WindowExpired", "{answer}: {}", s.message());
    }
}

#[test]
fn one_that_was_skipped_after_a_failed_run_is_no_record() {
    let mut b = story(job());
    b.job.metadata.name = Some("earlier".to_owned());
    b.pass().konnect_says("failed");
    let mut done = ours("completed");
    done.updated_at = Some(b.clock.wall);
    b.konnect.job = done;
    b.run_for(mins(10));
    assert_eq!(b.reason(), "AlreadyReplayed");
    assert!(Sibling::of(&b.job, &b.policy).is_none(), "a record of a delivery");
}

#[test]
fn complete_says_that_the_window_was_covered() {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is(Put::Answer(strangers("accepted")));
    s.pass();
    s.konnect.job = strangers("running");
    s.konnect.job.updated_at = Some(s.clock.wall);
    s.konnect_says("running");
    s.konnect_says("completed");
    s.run_for(mins(5));
    assert!(!s.is(&ConditionType::Complete), "no second of the window was replayed");
}

#[test]
fn a_put_that_is_limited_is_not_over_because_a_get_works() {
    for error in [slow_down(Some(300)), api(401)] {
        let mut s = story(job()).every_put_is(Put::Refused(error.clone()));
        s.pass();
        let b = other(&s, "b");
        let _ = s.scheduler.take(&b, false, s.clock.mono);
        // A poll of another run with the same token.
        let route = Candidate::of(&s.job, &s.policy).unwrap().route;
        let _ = s.scheduler.answered(&route, crate::replay::scheduler::Answer::Free, s.clock.mono);
        let (turn, _) = s.scheduler.take(&b, false, s.clock.mono + secs(1));
        assert_ne!(turn, Turn::Ours, "it would send although Konnect said when to");
    }
}
