//! "Try now": the annotation ends what is waited for once, and shortens nothing that safety needs.

use super::fixtures::*;
use super::konnect::Put;
use super::story::{Death, story};
use crate::api::ConditionType;
use crate::replay::{Step, TokenProblem};

#[test]
fn a_new_value_ends_a_rest_and_the_same_value_does_not() {
    let mut s = story(job());
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass();
    s.token = Ok(());
    s.pass();
    assert_eq!(s.reason(), "WaitingForCredentials", "resting");
    s.request("now");
    assert_eq!(s.reason(), "Accepted");
    let reads = s.count(&Step::ReadRemoteJob);
    s.request("now");
    assert_eq!(s.count(&Step::ReadRemoteJob), reads);
    s.request("too soon");
    assert_eq!(s.count(&Step::ReadRemoteJob), reads, "not twice within a poll interval");
    s.run_for(secs(40)).pass();
    let reads = s.count(&Step::ReadRemoteJob);
    s.request("again");
    assert_eq!(s.count(&Step::ReadRemoteJob), reads + 1, "a poll now");
}

#[test]
fn it_skips_the_spacing_of_refusals_for_one_try() {
    let mut s = story(job()).every_put_is(Put::Refused(api(409)));
    s.pass().sleep(secs(5)).request("now");
    assert_eq!(s.puts.len(), 2);
    s.sleep(secs(5)).pass();
    assert_eq!(s.puts.len(), 2, "one try");
    s.sleep(secs(10)).request("once more");
    assert_eq!(s.puts.len(), 3);
}

#[test]
fn it_skips_the_backoff_for_one_try() {
    let mut s = story(job());
    s.pass().konnect_says("failed").request("now");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Accepted", 2));
    s.konnect_says("failed");
    assert_eq!(s.reason(), "RemoteFailed");
    s.sleep(secs(60)).pass();
    assert_eq!(s.puts.len(), 2, "the next wait is a whole one");
    s.restart().pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("RemoteFailed", 2), "nor after a restart");
}

#[test]
fn it_shortens_neither_the_settle_time_nor_the_grace_for_others() {
    let mut s = story(job()).konnect_has(theirs("completed"));
    s.dies = Some(Death::BeforePut);
    s.pass().restart().request("now");
    assert_eq!((s.waits(), s.puts.len()), (s.policy.settle_time(), 0));

    let mut s = story(job()).konnect_has(theirs("running"));
    s.pass();
    s.konnect.job = theirs("completed");
    s.request("now");
    let ended = s.clock.mono;
    s.request("and now");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("BlockedByRemoteJob", 0));
    s.until("Accepted");
    assert!(s.puts[0].0.mono - ended >= s.policy.poll_interval * 2);
}

#[test]
fn it_does_not_lift_a_suspension_or_end_a_window_early() {
    let mut s = story(job().suspended());
    s.pass().request("now");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Suspended", 0));
    let mut s = story(job().window("2026-11-21T08:00:00Z", "2026-11-21T14:00:00Z"));
    s.pass().request("now");
    assert_eq!((s.reason().as_str(), s.is(&ConditionType::Reconciling)), ("WaitingForWindowEnd", true));
}

#[test]
fn a_value_of_any_length_is_kept_within_bounds() {
    let mut s = story(job());
    s.annotate(&"ü".repeat(100_000));
    s.pass().konnect_says("failed");
    assert_eq!(s.status().retries.unwrap().requested_at.unwrap().chars().count(), 128);
}
