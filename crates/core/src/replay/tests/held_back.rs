//! What the object alone says: suspended, deleted, or not acceptable.

use super::fixtures::*;
use super::invariants::is_true;
use super::story::{Story, story};
use crate::api::ConditionType;
use crate::replay::Step;

#[test]
fn suspend_holds_the_request_back_and_nothing_else() {
    let mut s = story(job().suspended());
    s.pass();
    assert_eq!((s.reason().as_str(), &s.last), ("Suspended", &Step::AwaitChange));
    assert!(s.is(&ConditionType::Suspended) && !s.is(&ConditionType::Reconciling));
    assert_eq!(s.count(&Step::ReadToken) + s.count(&Step::TakeTurn), 0);
    s.edit(|job| job.spec.suspend = false);
    assert!(!s.is(&ConditionType::Suspended));
    assert_eq!(s.reason(), "Accepted");
    s.edit(|job| job.spec.suspend = true);
    s.konnect_says("running");
    assert_eq!(s.reason(), "Running");
    assert!(!s.is(&ConditionType::Suspended) && s.message().contains("cannot stop"), "{}", s.message());
    s.konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Completed", 1));
}

/// Whatever Konnect's word for the run is, and whoever asked for it.
#[test]
fn suspend_during_any_run_is_said_not_to_stop_it() {
    for word in ["accepted", "pending", "running", "paused"] {
        for builder in [job().submitted(), job().adopted()] {
            let mut s = story(builder).konnect_has(ours(word));
            s.pass().edit(|job| job.spec.suspend = true);
            assert!(s.message().contains("spec.suspend does not stop it"), "{word}: {:?}", s.ready());
        }
    }
}

#[test]
fn suspend_while_refused_holds_the_next_request_back_and_is_forgotten_afterwards() {
    let mut s = story(job()).put_is_refused(api(409)).put_is_refused(no_answer());
    s.pass().sleep(secs(5)).edit(|job| job.spec.suspend = true);
    assert_eq!((s.reason().as_str(), &s.last), ("Suspended", &Step::AwaitChange));
    s.sleep(mins(10)).pass();
    assert_eq!(s.puts.len(), 1);
    s.edit(|job| job.spec.suspend = false);
    assert_eq!(s.puts.len(), 2);
    let [.., intent, doubt] = &s.writes[..] else { panic!() };
    for write in [intent, doubt] {
        assert!(!is_true(write, &ConditionType::Suspended), "{write:?}");
    }
}

#[test]
fn a_job_in_doubt_that_is_suspended_is_settled_first() {
    let mut s = story(job().intended().suspended()).konnect_has(ours("running"));
    s.pass().until("Running");
    let mut s = story(job().intended().suspended()).konnect_has(theirs("completed"));
    s.pass().sleep(secs(70)).single_pass();
    assert_eq!((s.reason().as_str(), s.puts.len()), ("Suspended", 0));
    assert!(s.message().contains("not taken"), "{}", s.message());
}

#[test]
fn an_object_that_is_being_deleted_begins_nothing() {
    let mut s = being_deleted(job());
    s.pass();
    assert_eq!((s.trace.as_slice(), s.writes.len()), (&[Step::AwaitChange][..], 0));
}

fn being_deleted(builder: JobBuilder) -> Story {
    let mut s = story(builder);
    s.job.metadata.deletion_timestamp = serde_json::from_str(r#""2026-11-21T12:00:00Z""#).unwrap();
    s
}

/// An object that another tool's finalizer keeps reserved its lane and its target for ever.
#[test]
fn what_is_under_way_of_an_object_that_is_being_deleted_is_followed_to_its_end() {
    let id = |s: &Story| crate::replay::ObjectId::of(&s.job);
    let mut s = being_deleted(job().submitted()).konnect_has(ours("running"));
    s.pass();
    assert!(s.scheduler.reserves(&id(&s)));
    s.konnect_says("completed");
    assert_eq!((s.reason().as_str(), s.last.clone()), ("Completed", Step::AwaitChange));
    assert!(!s.scheduler.reserves(&id(&s)));

    let mut s = being_deleted(job().intended()).konnect_has(theirs("completed"));
    s.pass().wait().run_for(mins(60));
    assert_eq!((s.puts.len(), s.last.clone()), (0, Step::AwaitChange), "nothing is sent for it any more");
    assert!(!s.scheduler.reserves(&id(&s)));
}

#[test]
fn what_cannot_be_worked_with_is_stalled_at_once_and_says_what_to_do() {
    for (builder, reason, word) in [
        (job().in_region("xx"), "RegionNotAllowed", "--regions"),
        (job().in_region("global"), "RegionNotAllowed", "--regions"),
        (job().for_portal(None), "InvalidRequest", "required"),
        (job().for_portal(Some("6B1E4F0C-2F0F-4C39-9F3C-1F7F5D6F9F10")), "InvalidRequest", "lower case"),
        (job().for_portal(Some("../../x")), "InvalidRequest", "UUID"),
        (job().for_the_organization().for_portal(Some(PORTAL)), "InvalidRequest", "not allowed"),
        (job().window("yesterday", "2026-11-20T11:30:00Z"), "InvalidWindow", "RFC 3339"),
        (job().window("2026-11-20T11:30:00Z", "2026-11-20T11:29:59Z"), "InvalidWindow", "before"),
    ] {
        let mut s = story(builder);
        s.pass();
        assert_eq!((s.reason().as_str(), &s.last, s.writes.len()), (reason, &Step::AwaitChange, 1));
        assert!(s.is(&ConditionType::Stalled) && !s.is(&ConditionType::Failed));
        assert!(s.message().contains(word), "{}", s.message());
    }
}
