//! Under which version of its API Konnect is asked: found by answers alone, recorded, and kept.

use super::fixtures::*;
use super::konnect::{Put, webhook};
use super::story::{Death, Story, story};
use crate::api::{ApiVersion, ConditionType, KonnectApiVersion, SubmissionState};
use crate::konnect::CallError;
use crate::replay::{Step, VersionChoice};
use ApiVersion::{V2, V3};

/// A story whose spec asks for `version`, at a Konnect that knows the target under these.
fn asking(version: KonnectApiVersion, known_under: &[ApiVersion]) -> Story {
    of(job().with(|spec| spec.target.konnect_api_version = version), known_under)
}

fn auto(known_under: &[ApiVersion]) -> Story {
    of(job(), known_under)
}

fn of(job: JobBuilder, known_under: &[ApiVersion]) -> Story {
    let mut s = story(job);
    s.konnect.known_under = known_under.to_vec();
    s
}

fn recorded(s: &Story) -> Option<ApiVersion> {
    s.status().konnect_api_version
}

#[test]
fn auto_is_the_default() {
    assert_eq!(job().build().spec.target.konnect_api_version, KonnectApiVersion::Auto);
}

#[test]
fn auto_finds_the_version_under_which_konnect_knows_the_target_and_records_it_before_it_sends() {
    for (known_under, found) in [(vec![V2], V2), (vec![V3], V3), (vec![V2, V3], V2)] {
        for builder in [job(), job().for_the_organization(), job().ignoring_the_webhook()] {
            let mut s = of(builder, &known_under);
            s.pass().until("Accepted");
            assert_eq!((s.sent_under.as_slice(), recorded(&s)), ([found].as_slice(), Some(found)), "{known_under:?}");
            let intent = s.writes.iter().find(|w| w.submission.is_some()).unwrap();
            assert_eq!(intent.konnect_api_version, Some(found), "the next leader must know");
            assert_eq!(s.count(&Step::ReadOtherVersion), usize::from(found == V3));
            s.konnect_says("completed");
            assert!(s.is(&ConditionType::Complete));
            assert_eq!(recorded(&s), Some(found));
            assert!(!s.told().contains(&"PortalNotFound".to_owned()), "{:?}", s.told());
        }
    }
}

#[test]
fn the_first_pass_sends_under_v3_with_one_more_write_than_under_v2() {
    let (mut second, mut third) = (auto(&[V2]), auto(&[V3]));
    second.pass();
    third.pass();
    assert_eq!((second.reason(), third.reason()), ("Accepted".to_owned(), "Accepted".to_owned()));
    assert_eq!(third.writes.len(), second.writes.len() + 1);
}

#[test]
fn the_webhook_of_the_version_that_was_found_decides() {
    let mut s = auto(&[V3]);
    s.konnect.webhook = Ok(webhook(false));
    s.pass();
    assert_eq!((s.reason().as_str(), recorded(&s), s.puts.len()), ("WaitingForWebhook", Some(V3), 0));
    s.konnect.webhook = Ok(webhook(true));
    s.until("Accepted");
    assert_eq!((s.sent_under.as_slice(), s.count(&Step::ReadOtherVersion)), ([V3].as_slice(), 1));
}

#[test]
fn a_target_that_neither_version_knows_is_asked_for_under_both_at_each_retry() {
    for builder in [job(), job().for_the_organization()] {
        let mut s = of(builder, &[]);
        s.pass();
        assert_eq!((s.reason().as_str(), recorded(&s), s.waits()), ("PortalNotFound", None, secs(60)));
        let message = s.message();
        assert!(message.contains("v2 and v3 of its API were asked, and both answered 404"), "{message}");
        let writes = s.writes.len();
        s.run_for(mins(4) + secs(15)); // and some seconds for the calls
        assert_eq!(s.count(&Step::ReadOtherVersion), 5, "once a retry");
        assert_eq!(s.writes.len(), writes, "nothing new is said");
        s.konnect.known_under = vec![V3];
        s.until("Accepted");
        assert_eq!((s.sent_under.as_slice(), recorded(&s)), ([V3].as_slice(), Some(V3)));
    }
}

#[test]
fn a_call_under_v3_that_failed_does_not_say_that_v3_does_not_know_the_target() {
    let failures = [
        (no_answer(), "KonnectUnavailable"),
        (no_connection(), "KonnectUnavailable"),
        (html(), "KonnectUnavailable"),
        (api(503), "KonnectUnavailable"),
        (api(401), "WaitingForCredentials"),
        (api(403), "WaitingForCredentials"),
        (slow_down(Some(20)), "RateLimited"),
    ];
    for (failure, reason) in failures {
        let mut s = auto(&[]);
        s.konnect.v3_fails = Some(failure.clone());
        s.pass();
        assert_eq!((s.reason().as_str(), recorded(&s)), (reason, None), "{failure}");
        s.run_for(mins(10));
        assert!(!s.told().contains(&"PortalNotFound".to_owned()), "{failure}: {:?}", s.told());
        (s.konnect.v3_fails, s.konnect.known_under) = (None, vec![V3]);
        s.until("Accepted");
        assert_eq!(s.sent_under, [V3], "{failure}");
    }
}

/// The same where the spec names the version: there it is about the message alone.
#[test]
fn with_a_version_named_a_failed_look_at_the_other_claims_nothing_and_is_repeated() {
    for failure in [no_answer(), api(401), api(503), slow_down(None)] {
        let mut s = asking(KonnectApiVersion::V2, &[]);
        s.konnect.v3_fails = Some(failure.clone());
        s.pass();
        assert_eq!(s.reason(), "PortalNotFound");
        assert!(!s.message().contains("v3"), "{failure}: {}", s.message());
        (s.konnect.v3_fails, s.konnect.known_under) = (None, vec![V3]);
        s.wait();
        assert!(s.message().contains("does under target.konnectAPIVersion v3"), "{}", s.message());
        s.run_for(mins(10));
        assert_eq!(s.count(&Step::ReadOtherVersion), 2, "an answer is not asked for again");
    }
}

#[test]
fn with_a_version_named_no_other_is_used_and_the_message_gives_the_right_advice() {
    for (version, asked, other) in [(KonnectApiVersion::V2, V2, V3), (KonnectApiVersion::V3, V3, V2)] {
        for known in [true, false] {
            let known_under = if known { vec![other] } else { vec![] };
            let mut s = asking(version, &known_under);
            s.pass();
            let (message, other) = (s.message(), other.as_str());
            assert_eq!(message.contains(&format!("does under target.konnectAPIVersion {other}")), known, "{message}");
            let advice =
                format!("create another AuditLogReplayJob with Auto, which finds the version, or with {other}");
            assert_eq!(message.contains(&advice), known, "{message}");
            assert!(message.contains(other), "{message}");
            s.run_for(mins(30));
            assert_eq!((s.count(&Step::ReadOtherVersion), s.puts.len(), recorded(&s)), (1, 0, None));
            s.konnect.known_under = vec![asked];
            s.until("Accepted");
            assert_eq!((s.sent_under.as_slice(), recorded(&s)), ([asked].as_slice(), None));
        }
    }
}

#[test]
fn a_run_is_followed_under_the_version_it_was_sent_with() {
    for sent in [V2, V3] {
        let mut s = auto(&[sent]);
        s.pass().until("Accepted");
        // From now on the other version would answer, with no job at all.
        s.konnect.known_under = vec![sent.other()];
        s.wait();
        assert_eq!((s.reason().as_str(), recorded(&s)), ("PortalNotFound", Some(sent)));
        assert!(s.message().contains("kept for the life of an object"), "{}", s.message());
        s.restart().single_pass();
        assert_eq!((s.reason().as_str(), recorded(&s)), ("PortalNotFound", Some(sent)));
        s.konnect.known_under = vec![V2, V3];
        s.until("Accepted").konnect_says("completed");
        assert!(s.is(&ConditionType::Complete));
        assert_eq!((s.puts.len(), recorded(&s)), (1, Some(sent)));
    }
}

#[test]
fn a_run_whose_target_is_gone_for_good_ends_under_its_version() {
    let mut s = auto(&[V3]);
    s.pass().until("Accepted");
    s.konnect.known_under = vec![];
    s.wait().run_for(mins(12));
    assert!(s.is(&ConditionType::Failed));
    assert_eq!((s.reason().as_str(), s.puts.len(), recorded(&s)), ("PortalNotFound", 1, Some(V3)));
}

#[test]
fn after_a_crash_the_request_is_settled_under_the_version_that_was_recorded() {
    for death in [Death::BeforePut, Death::AfterPut] {
        let mut s = auto(&[V3]);
        s.dies = Some(death);
        s.pass();
        assert_eq!(s.submission().state, SubmissionState::Intended);
        s.konnect.known_under = vec![V2, V3];
        s.restart().pass().until("Accepted");
        assert_eq!((s.konnect.begun, recorded(&s)), (1, Some(V3)));
        assert!(s.sent_under.iter().all(|version| *version == V3));
    }
}

#[test]
fn a_refused_request_and_a_retry_keep_the_version() {
    let mut s = auto(&[V3]).put_is(Put::Refused(api(409)));
    s.pass();
    s.konnect.known_under = vec![V2, V3];
    s.until("Accepted").konnect_says("failed").until("Accepted");
    assert_eq!(s.sent_under, [V3, V3, V3]);
}

#[test]
fn a_request_answered_404_asks_the_other_version_for_the_message_alone() {
    let mut s = auto(&[V2]).put_is(Put::Refused(api(404)));
    s.pass();
    assert_eq!((s.reason().as_str(), recorded(&s)), ("PortalNotFound", Some(V2)));
    s.until("Accepted");
    assert_eq!(s.sent_under, [V2, V2]);
}

#[test]
fn the_version_is_settled_by_the_spec_or_the_record_and_open_otherwise() {
    let mut job = job().build();
    assert_eq!(VersionChoice::of(&job), VersionChoice::Open);
    job.status.get_or_insert_default().konnect_api_version = Some(V3);
    assert_eq!(VersionChoice::of(&job), VersionChoice::Settled(V3));
    job.spec.target.konnect_api_version = KonnectApiVersion::V2;
    assert_eq!(VersionChoice::of(&job), VersionChoice::Settled(V2), "the spec's word is the last");
}

/// A record that a definition of the object dropped. A 404 that comes and goes must not have the run sent again.
#[test]
fn without_a_record_a_run_under_way_is_looked_for_under_both_and_never_sent_twice() {
    let unrecorded = |known_under: &[ApiVersion]| {
        let mut s = of(job().submitted(), known_under);
        // As every object that was looked at says something.
        s.job.status.as_mut().unwrap().conditions.push(crate::api::Condition {
            type_: ConditionType::Reconciling,
            status: crate::api::ConditionStatus::True,
            observed_generation: Some(1),
            last_transition_time: at("2026-11-21T11:00:00Z"),
            reason: "Accepted".to_owned(),
            message: "Konnect has accepted the replay.".to_owned(),
        });
        s
    };
    let mut found = unrecorded(&[V3]).konnect_has(ours("running"));
    found.pass();
    assert_eq!((found.reason().as_str(), recorded(&found)), ("Running", Some(V3)));
    for stranger in [unconfigured(), theirs("completed"), strangers("running")] {
        let mut s = unrecorded(&[V3]).konnect_has(stranger);
        s.single_pass();
        assert_eq!((s.reason().as_str(), recorded(&s)), ("PortalNotFound", None), "v3 shows another run");
        s.konnect.known_under = vec![V2];
        s.konnect.job = ours("running");
        s.until("Running").konnect_says("completed");
        assert!(s.is(&ConditionType::Complete));
        assert_eq!(s.puts.len(), 0);
    }
}

#[test]
fn without_a_record_a_run_is_given_up_only_when_both_versions_have_answered() {
    let failing: CallError = api(503);
    let mut s = of(job().submitted(), &[]);
    s.konnect.v3_fails = Some(failing);
    s.pass().run_for(mins(30));
    assert!(!s.is(&ConditionType::Failed), "{:?}", s.ready());
    s.konnect.v3_fails = None;
    s.wait();
    assert!(s.is(&ConditionType::Failed));
    assert_eq!(s.reason(), "PortalNotFound");
}
