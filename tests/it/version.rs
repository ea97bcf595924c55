//! Portals that Konnect knows under one version of its API only: found by asking, recorded, and kept.

use konnect_emulator::{Action, ApiVersion, Fault, Hold, PathKind, Status, Webhook};
use konnect_replay_core::api::{ApiVersion as Found, ConditionType};

use crate::support::{JobBuilder, PATIENCE, PORTAL, World, condition, is_true, ready_reason};

/// The versions in the paths of all calls so far, each once, in order.
fn spoken(world: &World) -> Vec<String> {
    let version = |path: &str| path.split('/').nth(2).unwrap_or_default().to_owned();
    let mut spoken: Vec<String> = world.emulator.calls().iter().map(|call| version(&call.path)).collect();
    spoken.dedup();
    spoken
}

async fn found(world: &World, name: &str) -> Option<Found> {
    world.get(name).await.status.unwrap().konnect_api_version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_is_found_under_the_version_that_knows_it() {
    for (only, expected, calls) in [
        (Some(ApiVersion::V2), Found::V2, vec!["v2"]),
        (Some(ApiVersion::V3), Found::V3, vec!["v2", "v3"]),
        (None, Found::V2, vec!["v2"]),
    ] {
        let world = World::new().await;
        world.emulator.set_portal_version(&world.portal, only).unwrap();
        let job = world.create(world.job("auto")).await;
        let lost = world.lose(&world.portal, &job, 2);

        world.wait_until_complete("auto").await;

        assert_eq!((found(&world, "auto").await, world.puts(), world.runs().len()), (Some(expected), 1, 1));
        assert_eq!(spoken(&world), calls, "all calls after the version was found are under it");
        world.received_once(&lost).await;
        assert!(!world.reasons("auto").contains(&"PortalNotFound".to_owned()));
        let intent = |job: &&konnect_replay_core::api::AuditLogReplayJob| ready_reason(job) == "Submitting";
        let recorded = world.history.of("auto").iter().find(intent).cloned().unwrap();
        assert_eq!(recorded.status.unwrap().konnect_api_version, Some(expected), "recorded before it was sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_organisation_is_found_under_the_version_that_knows_it() {
    let world = World::new().await;
    let organization = world.organization();
    world.emulator.set_webhook(&organization, Webhook::new(world.receiver.url())).unwrap();
    world.emulator.set_portal_version(&organization, Some(ApiVersion::V3)).unwrap();
    world.create(JobBuilder::organization("acme", "eu")).await;

    world.wait_until_complete("acme").await;

    assert_eq!(found(&world, "acme").await, Some(Found::V3));
    assert_eq!(
        (spoken(&world), world.emulator.runs(&organization).unwrap().len()),
        (vec!["v2".into(), "v3".into()], 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_no_version_knows_is_asked_for_under_both_until_one_does() {
    let world = World::new().await;
    let unknown = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";
    world.create(JobBuilder::portal("nowhere", "eu", unknown)).await;
    let job = world.wait_for_reason("nowhere", "PortalNotFound").await;
    let message = &condition(&job, &ConditionType::Ready).unwrap().message;
    assert!(message.contains("v2 and v3 of its API were asked, and both answered 404"), "{message}");
    let asked = |version: &str| {
        let path = format!("/eu/{version}/portals/{unknown}/audit-log-replay-job");
        world.emulator.calls().iter().filter(|call| call.path == path).count()
    };
    world.at_konnect("both asked three times", |_| (asked("v2") >= 3 && asked("v3") >= 3).then_some(())).await;

    let portal = world.add_portal("eu", unknown);
    world.emulator.set_portal_version(&portal, Some(ApiVersion::V3)).unwrap();
    world.wait_until_complete("nowhere").await;
    assert_eq!((found(&world, "nowhere").await, world.puts()), (Some(Found::V3), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_failed_does_not_say_which_version_knows_the_portal() {
    let world = World::builder().without_operator().build().await;
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    // Under v2 the first question is answered 404, under v3 the second brings nothing.
    for answer in [404, 503] {
        let fault = Fault::new(Action::status(answer)).method("GET").path(PathKind::ReplayJob).times(1);
        world.emulator.add_fault(fault);
    }
    world.create(world.job("patient")).await;
    let _operator = world.start_operator(&[]).await;

    world.wait_until_complete("patient").await;

    let reasons = world.reasons("patient");
    assert!(reasons.contains(&"KonnectUnavailable".to_owned()), "{reasons:?}");
    assert!(!reasons.contains(&"PortalNotFound".to_owned()), "{reasons:?}");
    assert_eq!((found(&world, "patient").await, world.puts()), (Some(Found::V3), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_named_is_the_only_one_used_and_the_message_says_what_to_do() {
    let world = World::new().await;
    for (only, job, other) in [
        (ApiVersion::V3, JobBuilder::portal("second", "eu", PORTAL).v2(), "v3"),
        (ApiVersion::V2, JobBuilder::portal("third", "eu", PORTAL).v3(), "v2"),
    ] {
        world.emulator.set_portal_version(&world.portal, Some(only)).unwrap();
        let name = world.create(job).await.metadata.name.unwrap();
        let job = world.wait_for_reason(&name, "PortalNotFound").await;
        let message = &condition(&job, &ConditionType::Ready).unwrap().message;
        assert!(message.contains(PORTAL) && message.contains(&format!("konnectAPIVersion {other}")), "{message}");
        assert!(message.contains("create another AuditLogReplayJob with Auto"), "{message}");
        assert_eq!((world.puts(), found(&world, &name).await), (0, None));
        world.delete(&name).await;
    }
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    world.create(world.job("advised")).await;
    world.wait_until_complete("advised").await;
    assert_eq!(world.runs().len(), 1);
}

/// While it runs, Konnect begins to know the portal under v2 too, and forgets it under v3: the run is not looked for elsewhere,
/// also by a process that begins then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_followed_under_the_version_it_was_sent_with_by_any_process() {
    let mut world = World::new().await;
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("steady")).await;
    world.wait_for_reason("steady", "Accepted").await;
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.emulator.set_portal_version(&world.portal, None).unwrap();
    let before = world.emulator.calls().len();

    let _next = world.start_operator(&[]).await;
    for next in [Status::Pending, Status::Running, Status::Completed] {
        world.emulator.advance(&world.portal, next).unwrap();
    }
    let done = world.wait_until_complete("steady").await;

    assert!(is_true(&done, &ConditionType::Complete));
    let later = world.emulator.calls().split_off(before);
    assert!(!later.is_empty() && later.iter().all(|call| call.path.starts_with("/eu/v3/")), "{later:#?}");
    assert_eq!((world.puts(), world.runs().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_sends_under_version_3_is_followed_by_one_that_sends_nothing_more() {
    let mut world = World::new().await;
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    let held = world.emulator.hold(Hold::after().method("PUT").path(PathKind::ReplayJob).times(1));
    world.create(world.job("killed")).await;
    world.emulator.wait_held(held, PATIENCE).await.unwrap();
    world.operator().signal("KILL");
    world.operator().exit().await;
    world.emulator.release(held).unwrap();
    world.emulator.set_portal_version(&world.portal, None).unwrap();
    let _next = world.start_operator(&[]).await;
    world.wait_until_complete("killed").await;
    assert_eq!((world.puts(), world.runs().len(), found(&world, "killed").await), (1, 1, Some(Found::V3)));
}

/// The rule against duplicates knows no version: what was replayed under v2 was replayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_replayed_under_one_version_is_not_sent_again_under_the_other() {
    let world = World::new().await;
    let first = world.create(world.job("first").v2()).await;
    let lost = world.lose(&world.portal, &first, 1);
    world.wait_until_complete("first").await;
    world.emulator.set_portal_version(&world.portal, Some(ApiVersion::V3)).unwrap();
    world.create(world.job("again").spec(|spec| spec.window = first.spec.window.clone())).await;
    let job = world.wait_until_complete("again").await;
    assert_eq!((ready_reason(&job).as_str(), world.puts()), ("AlreadyReplayed", 1));
    world.received_once(&lost).await;
}
