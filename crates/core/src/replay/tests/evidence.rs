//! What the webhook's answers say of a run, and what other words of Konnect's say of it.

use super::fixtures::*;
use super::konnect::deliveries;
use super::story::story;
use crate::api::{ConditionType, SubmissionState};
use crate::konnect::WebhookStatus;
use crate::replay::Step;

#[test]
fn an_answer_from_before_the_run_is_not_told_as_one_about_it() {
    for (attempted, warns) in [("2023-03-21T09:00:00Z", false), ("2026-11-21T12:00:02Z", true)] {
        let mut s = story(job());
        s.konnect.webhook_status =
            Some(WebhookStatus { last_attempt_at: Some(at(attempted)), ..deliveries("inactive", 401) });
        s.pass().konnect_says("completed");
        assert_eq!(s.message().contains("401"), warns, "{}", s.message());
    }
}

#[test]
fn a_webhook_that_its_status_says_is_off_is_off() {
    let mut s = story(job());
    let off = WebhookStatus { webhook_enabled: Some(false), ..deliveries("unconfigured", 0) };
    s.konnect.webhook_status = Some(off);
    s.pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("WaitingForWebhook", 0));
    assert_eq!(s.condition(&ConditionType::WebhookReady).unwrap().reason, "WebhookDisabled");
    assert_eq!(s.status().webhook.unwrap().enabled, Some(false));
    s.konnect.webhook_status = Some(deliveries("active", 200));
    s.until("Accepted");
    let mut s = story(job().ignoring_the_webhook());
    s.konnect.webhook_status = Some(WebhookStatus { webhook_enabled: Some(false), ..deliveries("inactive", 0) });
    s.pass();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn a_word_that_may_be_an_end_is_stalled_with_after_hours_and_not_before() {
    let mut ours_is = story(job());
    ours_is.pass().konnect_says("cancelled");
    let mut theirs_is = story(job()).konnect_has(strangers("cancelled"));
    theirs_is.pass();
    for mut s in [ours_is, theirs_is] {
        s.run_for(mins(110));
        assert!(s.is(&ConditionType::Reconciling), "{:?}", s.ready());
        s.run_for(mins(15));
        assert!(s.is(&ConditionType::Stalled) && s.message().contains("cancelled"), "{:?}", s.ready());
        s.konnect.job.updated_at = Some(s.clock.wall);
        s.wait();
        assert!(s.is(&ConditionType::Reconciling), "it has changed: {:?}", s.ready());
    }
}

#[test]
fn an_adopted_run_that_fails_does_not_use_up_the_backoff_limit() {
    let mut s = story(job().with(|spec| spec.backoff_limit = 0)).konnect_has(ours("running"));
    s.pass();
    assert_eq!(s.reason(), "Running");
    s.konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.submission().state), ("RemoteFailed", SubmissionState::Failed));
    assert_eq!(s.status().retries.unwrap().failed, 0);
    s.until("Accepted").konnect_says("failed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BackoffLimitExceeded", 1));
}

#[test]
fn a_404_on_an_accepted_run_is_believed_after_ten_minutes() {
    let mut s = story(job());
    s.pass().konnect_says("running");
    s.konnect.get_fails = Some(api(404));
    s.run_for(mins(9));
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
    s.konnect.get_fails = None;
    s.until("Running");
    s.konnect.get_fails = Some(api(404));
    s.run_for(mins(12));
    assert_eq!((s.reason().as_str(), s.is(&ConditionType::Failed)), ("PortalNotFound", true));
}

#[test]
fn a_pause_before_an_adopted_run_does_not_lengthen_the_time_for_the_run() {
    let mut s = story(job().suspended().with(|spec| spec.active_deadline_seconds = Some(600)));
    s.pass().sleep(mins(60));
    s.konnect.job = ours("running");
    s.edit(|job| job.spec.suspend = false);
    assert_eq!((s.submission().state, s.status().suspended_seconds), (SubmissionState::Adopted, 0));
    s.run_for(mins(11));
    assert_eq!(s.reason(), "DeadlineExceeded");
}

#[test]
fn a_window_that_expires_before_it_may_be_sent_is_refused_at_first_sight() {
    let week = ("2026-11-18T00:00:00Z", "2026-11-25T00:00:00Z");
    let mut s = story(job().window(week.0, week.1));
    s.pass();
    assert_eq!((s.reason().as_str(), &s.last), ("InvalidWindow", &Step::AwaitChange));
    assert!(s.is(&ConditionType::Stalled) && s.message().contains("expiryPolicy Clamp"), "{}", s.message());
    assert_eq!(s.count(&Step::ReadToken), 0);
    for possible in [job().window(week.0, week.1).clamping(), job().window(week.0, "2026-11-24T23:58:59Z")] {
        let mut s = story(possible);
        s.pass();
        assert_eq!(s.reason(), "WaitingForWindowEnd");
    }
}

#[test]
fn one_429_on_a_poll_changes_nothing_and_the_second_is_told() {
    let mut s = story(job());
    s.pass().konnect_says("running").run_for(mins(2));
    let writes = s.writes.len();
    for _ in 0..20 {
        s.konnect.get_fails = Some(slow_down(None));
        s.wait();
        s.konnect.get_fails = None;
        s.wait();
    }
    assert_eq!((s.writes.len(), s.reason().as_str()), (writes, "Running"));
    s.konnect.get_fails = Some(slow_down(None));
    s.wait().wait();
    assert_eq!(s.reason(), "RateLimited");
}

/// Where a GET is answered 400 nothing was sent, so no end of a window can be the reason.
#[test]
fn a_400_to_a_reading_says_nothing_of_the_window() {
    let mut s = story(job()).get_fails(api(400));
    s.pass();
    assert_eq!(s.reason(), "KonnectUnavailable");
    assert!(!s.message().contains("An end of the window"), "{}", s.message());
}

#[test]
fn an_api_server_that_does_not_answer_is_not_told_as_a_secret_that_is_not_there() {
    let mut s = story(job());
    s.token = Err(crate::replay::TokenProblem::SecretUnanswered("503 ServiceUnavailable".to_owned()));
    s.pass().run_for(mins(2));
    let credentials = s.condition(&ConditionType::CredentialsValid).unwrap();
    assert_eq!(credentials.reason, "SecretUnanswered");
    assert!(!credentials.message.contains("verb get"), "{}", credentials.message);
    s.token = Ok(());
    s.until("Accepted");
}
