//! Every reason is reached by some story, and no other: they are a stable API.

use std::collections::BTreeSet;

use super::fixtures::*;
use super::konnect::{Put, deliveries, webhook};
use super::story::{Story, story};
use crate::api::Reason;
use crate::konnect::TokenError;
use crate::replay::{TokenProblem, Turn};

fn told(mut s: Story, words: &[&str]) -> Vec<String> {
    s.pass();
    for word in words {
        s.konnect_says(word);
    }
    documented(&s)
}

/// The reasons of a story, each under a condition where the reference lists it.
fn documented(s: &Story) -> Vec<String> {
    for condition in s.conditions() {
        let listed = crate::api::reference::is_documented(&condition.type_, &condition.reason);
        assert!(listed, "docs/api.md does not list {} under {}", condition.reason, condition.type_);
    }
    s.reasons().collect()
}

fn with_token(problem: TokenProblem) -> Story {
    let mut s = story(job());
    s.token = Err(problem);
    s
}

fn queued() -> Story {
    let mut s = story(job());
    s.turn = Some(Turn::Behind { blocked_by: "first".to_owned() });
    s
}

fn with_webhook(enabled: bool, status: &str) -> Story {
    let mut s = story(job());
    s.konnect.webhook = Ok(webhook(enabled));
    s.konnect.webhook_status = Some(deliveries(status, 200));
    s
}

fn superseded() -> Vec<String> {
    let mut s = story(job().submitted()).konnect_has(strangers("running"));
    s.pass().until("Superseded");
    documented(&s)
}

fn not_stored() -> Story {
    let mut s = story(job()).konnect_has(theirs("completed")).put_is(Put::Answer(unconfigured()));
    s.definition_drops = Some(|status| status.retries = None);
    s
}

fn after(mut s: Story, minutes: u64) -> Vec<String> {
    s.pass().run_for(mins(minutes));
    documented(&s)
}

#[test]
fn every_reason_has_its_story() {
    let stories = [
        told(story(job()), &["pending", "running", "completed"]),
        told(story(job()), &["paused", "failed"]),
        told(story(job()).konnect_has(ours("accepted")), &["completed"]),
        told(story(job()).konnect_has(theirs("running")), &[]),
        told(story(job().window("2026-11-21T08:00:00Z", "2026-11-22T08:00:00Z")), &[]),
        told(story(job().window("2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z")), &[]),
        told(story(job().window("tomorrow", "2026-11-22T08:00:00Z")), &[]),
        told(story(job().in_region("xx")), &[]),
        told(story(job().suspended()), &[]),
        told(queued(), &[]),
        told(with_webhook(false, "inactive"), &[]),
        told(with_webhook(true, "inactive"), &[]),
        told(with_token(TokenProblem::SecretNotFound), &[]),
        told(with_token(TokenProblem::KeyMissing), &[]),
        told(with_token(TokenProblem::Invalid(TokenError::Empty)), &[]),
        told(story(job()).put_is(Put::Refused(api(400))), &[]),
        told(story(job()).put_is(Put::Refused(api(401))), &[]),
        told(story(job()).put_is(Put::Refused(api(403))), &[]),
        told(story(job()).put_is(Put::Refused(api(404))), &[]),
        told(story(job()).put_is(Put::Refused(slow_down(None))), &[]),
        told(story(job()).put_is(Put::Refused(no_connection())), &[]),
        told(story(job()).konnect_has(ours("completed")), &[]),
        told(story(job().with(|spec| spec.backoff_limit = 0)), &["failed"]),
        told(story(job().clamping().window("2026-11-14T08:00:00Z", "2026-11-15T08:00:00Z")), &[]),
        after(story(job().with(|spec| spec.active_deadline_seconds = Some(60))), 5),
        after(story(job().with(|spec| spec.starting_deadline_seconds = Some(60))).konnect_has(theirs("running")), 5),
        superseded(),
        after(with_token(TokenProblem::SecretUnanswered("503".to_owned())), 2),
        after(story(job()).put_is_refused(no_answer()), 2),
        told(story(job()).konnect_is_ahead(chrono::TimeDelta::days(9)), &[]),
        after(not_stored(), 2),
    ];
    let reached: BTreeSet<&str> = stories.iter().flatten().map(String::as_str).collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(reached, all);
}

#[test]
fn reasons_are_distinct_words_that_the_schema_allows() {
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(all.len(), Reason::ALL.len());
    assert!(
        all.iter().all(|word| word.bytes().all(|b| b.is_ascii_alphabetic()) && word.starts_with(char::is_uppercase))
    );
}
