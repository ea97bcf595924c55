//! What an object says while others go first: above all what somebody has to mend.

use super::fixtures::*;
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::replay::{Step, TokenProblem, Turn, WaitCause};

fn behind() -> Turn {
    Turn::Behind { blocked_by: "first".to_owned() }
}

fn held_back(cause: WaitCause) -> Turn {
    Turn::HeldBack { blocked_by: Some("first".to_owned()), cause }
}

fn queued(turn: Turn) -> Story {
    let mut s = story(job());
    s.turn = Some(turn);
    s
}

#[test]
fn a_bad_secret_is_named_on_the_first_visit_whoever_goes_first() {
    for turn in [behind(), Turn::Later, held_back(WaitCause::Webhook)] {
        let mut s = queued(turn);
        s.token = Err(TokenProblem::SecretNotFound);
        s.pass();
        assert_eq!(s.reason(), "WaitingForCredentials");
        assert!(s.message().contains("\"konnect-token\" does not exist"), "{}", s.message());
        assert!(s.puts.is_empty() && s.count(&Step::ReadRemoteJob) == 0, "nothing is asked of Konnect");
    }
}

#[test]
fn a_secret_that_is_there_is_looked_at_once_and_not_while_the_queue_is_waited_in() {
    let mut s = queued(behind());
    s.pass().run_for(mins(60));
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadToken)), ("Queued", 1));
}

#[test]
fn one_that_is_mended_meanwhile_makes_the_object_say_that_it_is_queued() {
    let mut s = queued(behind());
    s.token = Err(TokenProblem::KeyMissing);
    s.pass().run_for(mins(10));
    assert!(s.is(&ConditionType::Stalled), "after five minutes somebody has to see to it: {:?}", s.ready());
    assert_eq!(s.reason(), "WaitingForCredentials");
    s.token = Ok(());
    s.run_for(mins(2));
    assert_eq!(s.reason(), "Queued");
    assert!(s.condition(&ConditionType::CredentialsValid).is_none(), "whether it works is not known yet");
    assert!(s.is(&ConditionType::Reconciling));
    s.turn = None;
    s.wait();
    assert_eq!(s.reason(), "Accepted");
}

#[test]
fn a_corrected_reference_is_looked_at_at_once() {
    let mut s = queued(behind());
    s.pass();
    s.token = Err(TokenProblem::SecretNotFound);
    s.edit(|job| job.spec.token_secret_ref.name = "another".to_owned());
    assert_eq!(s.reason(), "WaitingForCredentials");
}

#[test]
fn where_the_secret_itself_is_the_trouble_the_one_that_looks_into_it_is_enough() {
    let mut s = queued(held_back(WaitCause::Secret));
    s.token = Err(TokenProblem::SecretNotFound);
    s.pass();
    assert_eq!((s.reason().as_str(), s.count(&Step::ReadToken)), ("Queued", 0));
    assert!(
        s.message().contains("Secret \"konnect-token\" could not be read, or has no usable token"),
        "{}",
        s.message()
    );
}
