//! What holds a request up until somebody mends it: the token, the webhook, the portal, and Konnect itself.

use super::fixtures::*;
use super::konnect::{deliveries, webhook};
use super::story::story;
use crate::api::{ConditionStatus, ConditionType};
use crate::konnect::TokenError;
use crate::replay::{Step, TokenProblem};

#[test]
fn one_question_that_the_apiserver_leaves_open_says_nothing_of_the_token() {
    let mut s = story(job());
    s.pass().konnect_says("running");
    let writes = s.writes.len();
    for _ in 0..3 {
        s.token = Err(TokenProblem::SecretUnanswered("500 Internal Server Error".to_owned()));
        s.wait();
        assert_eq!((s.reason().as_str(), s.writes.len()), ("Running", writes));
        s.token = Ok(());
        s.wait();
    }
    s.token = Err(TokenProblem::SecretUnanswered("500 Internal Server Error".to_owned()));
    s.wait().wait();
    assert_eq!(s.reason(), "WaitingForCredentials");
    assert!(s.message().contains("500 Internal Server Error"), "{}", s.message());
    s.token = Ok(());
    s.until("Running");
}

#[test]
fn each_trouble_with_the_token_is_named_stalls_after_five_minutes_and_goes_when_the_next_call_works() {
    for (problem, detail, word) in [
        (TokenProblem::SecretNotFound, "SecretNotFound", "does not exist"),
        (TokenProblem::SecretUnreadable("403 Forbidden".to_owned()), "SecretNotFound", "403 Forbidden"),
        (TokenProblem::KeyMissing, "SecretKeyMissing", "no key"),
        (TokenProblem::Invalid(TokenError::Empty), "InvalidToken", "empty"),
        (TokenProblem::Invalid(TokenError::IllegalCharacters), "InvalidToken", "header"),
        (TokenProblem::Invalid(TokenError::WrongPrefix), "InvalidToken", "kpat_"),
    ] {
        let mut s = story(job());
        s.token = Err(problem);
        s.pass();
        assert_eq!(s.reason(), "WaitingForCredentials");
        assert!(s.message().contains(word), "{}", s.message());
        let credentials = s.condition(&ConditionType::CredentialsValid).unwrap();
        assert_eq!((credentials.status, credentials.reason.as_str()), (ConditionStatus::False, detail));
        assert!(s.is(&ConditionType::Reconciling));
        let writes = s.writes.len();
        s.run_for(mins(60));
        assert!(s.is(&ConditionType::Stalled), "{detail}");
        assert_eq!(s.writes.len(), writes + 1, "{detail}: one write, when it became Stalled");
        assert_eq!(s.count(&Step::ReadRemoteJob), 0, "{detail}");
        s.token = Ok(());
        s.until("Accepted");
        assert!(s.is(&ConditionType::Reconciling) && s.is(&ConditionType::CredentialsValid), "{detail}");
    }
}

#[test]
fn a_token_that_konnect_refuses_is_named_and_tried_slowly() {
    for (status, detail) in [(401, "Unauthorized"), (403, "Forbidden")] {
        let mut s = story(job().ignoring_the_webhook()).get_fails(api(status));
        s.pass().run_for(mins(6));
        assert_eq!(s.reason(), "WaitingForCredentials");
        assert_eq!(s.condition(&ConditionType::CredentialsValid).unwrap().reason, detail);
        assert!(s.is(&ConditionType::Stalled));
        assert!(s.count(&Step::ReadRemoteJob) <= 7, "once a minute");
        s.konnect.get_fails = None;
        s.until("Accepted");
        assert!(!s.is(&ConditionType::Stalled));
    }
}

#[test]
fn a_webhook_that_is_off_or_missing_is_waited_for() {
    let missing = || Err(api(404));
    let silent = || Ok(crate::konnect::Webhook::default());
    for configured in [Ok(webhook(false)), silent(), missing()] {
        let mut s = story(job());
        s.konnect.webhook = configured;
        s.pass();
        assert_eq!((s.reason().as_str(), s.puts.len()), ("WaitingForWebhook", 0));
        assert_eq!(s.condition(&ConditionType::WebhookReady).unwrap().reason, "WebhookDisabled");
        assert_eq!(s.status().webhook.unwrap().enabled, Some(false));
        s.run_for(mins(20));
        assert_eq!(s.puts.len(), 0);
        assert!(s.is(&ConditionType::Stalled));
        s.konnect.webhook = Ok(webhook(true));
        s.until("Accepted");
        assert!(s.is(&ConditionType::WebhookReady) && !s.is(&ConditionType::Stalled));
        assert_eq!(s.status().webhook.unwrap().enabled, Some(true));
    }
}

#[test]
fn a_webhook_that_is_switched_off_later_is_no_longer_told_as_on() {
    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass();
    s.konnect.job = theirs("completed");
    s.konnect.webhook = Err(api(404));
    s.until("WaitingForWebhook");
    assert_eq!(s.status().webhook.unwrap().enabled, Some(false));
}

#[test]
fn an_inactive_webhook_warns_and_holds_nothing_up() {
    let mut s = story(job());
    s.konnect.webhook_status = Some(deliveries("inactive", 503));
    s.pass();
    assert_eq!(s.reason(), "Accepted");
    let ready = s.condition(&ConditionType::WebhookReady).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::True, "WebhookInactive"));
    s.konnect_says("completed");
    assert!(s.message().contains("503"), "{}", s.message());
}

#[test]
fn a_webhook_that_cannot_be_read_holds_a_replay_back_for_ten_minutes() {
    for error in [api(500), api(403), api(418), no_connection(), no_answer(), html()] {
        let mut s = story(job());
        s.konnect.webhook = Err(error.clone());
        s.pass();
        let begun = s.clock.mono;
        s.until("Accepted");
        let waited = s.puts[0].0.mono - begun;
        assert!(waited >= mins(10) - secs(5) && waited <= mins(12), "{error}: {waited:?}");
        assert_eq!(s.condition(&ConditionType::WebhookReady).unwrap().status, ConditionStatus::Unknown, "{error}");
    }
}

#[test]
fn with_policy_ignore_nobody_looks_at_the_webhook_before_the_end() {
    let mut s = story(job().ignoring_the_webhook());
    s.konnect.webhook = Ok(webhook(false));
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadWebhook { brief: false })), ("Accepted", 0));
    s.konnect_says("completed");
    assert_eq!(s.count(&Step::ReadWebhook { brief: true }), 1, "for the record");
}

#[test]
fn a_portal_that_konnect_does_not_know_is_not_mistaken_for_a_missing_webhook() {
    let mut s = story(job()).get_fails(api(404));
    s.konnect.webhook = Err(api(404));
    s.pass();
    assert_eq!(s.reason(), "PortalNotFound");
    s.run_for(mins(6));
    assert!(s.is(&ConditionType::Stalled) && !s.is(&ConditionType::Failed));
    s.konnect.get_fails = None;
    s.until("WaitingForWebhook");
    s.konnect.webhook = Ok(webhook(true));
    s.until("Accepted");
}

#[test]
fn the_organization_has_no_portal_to_be_unknown() {
    let mut s = story(job().for_the_organization().ignoring_the_webhook()).get_fails(api(404));
    s.pass();
    assert!(s.message().contains("organisation"), "{}", s.message());
    s.konnect.get_fails = None;
    s.until("Accepted");
}

#[test]
fn a_429_is_waited_out_as_konnect_says() {
    for (retry_after, wait) in [(None, 15), (Some(77), 77), (Some(900), 900), (Some(0), 1)] {
        let mut s = story(job().ignoring_the_webhook()).get_fails(slow_down(retry_after));
        s.pass();
        assert_eq!((s.reason().as_str(), s.waits()), ("RateLimited", secs(wait)), "{retry_after:?}");
        s.konnect.get_fails = None;
        s.wait();
        assert_eq!(s.reason(), "Accepted");
    }
    let mut s = story(job());
    s.konnect.webhook = Err(slow_down(Some(77)));
    s.pass();
    assert_eq!((s.reason().as_str(), s.waits()), ("RateLimited", secs(77)));
}

#[test]
fn a_konnect_that_does_not_work_is_asked_less_and_less() {
    let spacing = [15, 30, 60, 60, 60];
    let mut jobs = story(job().ignoring_the_webhook()).get_fails(api(503));
    let mut webhooks = story(job());
    webhooks.konnect.webhook = Err(no_connection());
    for s in [&mut jobs, &mut webhooks] {
        s.pass();
        for expected in spacing {
            assert_eq!((s.reason().as_str(), s.waits()), ("KonnectUnavailable", secs(expected)));
            s.wait();
        }
        assert_eq!(s.writes.len(), 2);
    }
    jobs.konnect.get_fails = None;
    jobs.until("Accepted");
}
