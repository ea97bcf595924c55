//! Answers that say less than they should, and none at all.

use chrono::TimeDelta;
use konnect_emulator::{Action, Emulator, Fault, PathKind, Status, Tls};
use konnect_replay_core::api::ConditionType;
use serde_json::json;

use crate::support::{World, condition};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_konnect_that_is_down_is_waited_for() {
    let world = World::builder().flag("--konnect-url=http://127.0.0.1:1/{region}").without_operator().build().await;
    world.create(world.job("dark")).await;
    let operator = world.start_operator(&[]).await;
    let down = world.wait_for_reason("dark", "KonnectUnavailable").await;
    assert!(condition(&down, &ConditionType::Ready).unwrap().message.contains("refused"));
    assert!(condition(&down, &ConditionType::Stalled).is_none());
    drop(operator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn konnect_over_tls_is_trusted_by_the_ca_bundle_only() {
    let tls = Some(Tls::SelfSigned { names: Vec::new() });
    let world = World::builder().emulator(|options| options.tls = tls).without_operator().build().await;
    let job = world.create(world.job("secure")).await;
    let lost = world.lose(&world.portal, &job, 1);
    let stranger = world.start_operator(&[]).await;
    let refused = world.wait_for_reason("secure", "KonnectUnavailable").await;
    let message = &condition(&refused, &ConditionType::Ready).unwrap().message;
    assert!(message.contains("certificate"), "{message}");
    assert!(world.emulator.calls().is_empty());
    drop(stranger);

    let bundle = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", world.namespace));
    std::fs::write(&bundle, world.emulator.ca_pem().unwrap()).unwrap();
    let _operator = world.start_operator(&[&format!("--ca-bundle={}", bundle.display())]).await;
    world.wait_until_complete("secure").await;
    world.received_once(&lost).await;
}

/// A job without times says nothing about whose it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_are_malformed_zero_or_missing_mean_unset() {
    let zero = "0001-01-01T00:00:0Z";
    let forms = [
        json!({ "status": "unconfigured", "start_at": zero, "end_at": zero, "updated_at": zero }),
        json!({ "status": "unconfigured" }),
        json!({ "status": "completed", "start_at": "never", "end_at": 7, "updated_at": null }),
        json!({ "status": "failed", "start_at": "0001-01-01T00:00:00Z", "end_at": "2026-13-45T99:00:00Z" }),
    ];
    futures::future::join_all(forms.map(async |form| {
        let world = World::new().await;
        world.emulator.force_job(&world.portal, form.clone()).unwrap();
        world.emulator.set_manual(&world.portal, true).unwrap();
        let job = world.create(world.job("vague")).await;
        let lost = world.lose(&world.portal, &job, 1);
        world.wait_for_reason("vague", "Accepted").await;
        world.more_looks(3).await;
        world.emulator.force_job(&world.portal, json!({ "status": "running", "start_at": "now" })).unwrap();
        world.more_looks(3).await;
        assert_eq!(world.puts(), 1, "{form}");
        world.emulator.force_job(&world.portal, None).unwrap();
        world.emulator.set_manual(&world.portal, false).unwrap();
        world.wait_until_complete("vague").await;
        assert_eq!((world.puts(), world.runs().len()), (1, 1), "{form}");
        world.received_once(&lost).await;
    }))
    .await;
}

/// No property of a job is required. A run that was accepted is not sent again because its times are not shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_run_whose_times_are_never_shown_is_not_sent_again() {
    let forms = [json!({ "status": "completed" }), json!({ "status": "running" })];
    futures::future::join_all(forms.map(async |form| {
        let world = World::new().await;
        let window = world.foreign_run(&world.portal);
        world.emulator.advance(&world.portal, Status::Completed).unwrap();
        world.create(world.job("shy")).await;
        world.wait_for_reason("shy", "Accepted").await;
        world.emulator.force_job(&world.portal, form.clone()).unwrap();
        world.emulator.set_manual(&world.portal, false).unwrap();
        let accepted = world.runs()[1].accepted_at;
        let settled = accepted + TimeDelta::seconds(18);
        let looked = |_: &Emulator| world.calls("GET").iter().any(|call| call.at > settled).then_some(());
        world.at_konnect("a look after the settle time", looked).await;
        assert_eq!(world.puts(), 1, "{form} after {window:?}: {:#?}", world.states("shy"));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_run_that_konnect_has_lost_is_superseded_and_sent_again_later() {
    let world = World::builder().flag("--backoff-base=5s").build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("lost")).await;
    world.wait_for_reason("lost", "Accepted").await;
    world.emulator.force_job(&world.portal, json!({ "status": "unconfigured" })).unwrap();
    world.wait_for_reason("lost", "Superseded").await;
    assert_eq!(world.puts(), 1, "not before it is believed, and its spacing is over");
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.at_konnect("that the run has ended", |_| world.runs().first()?.ended_at).await;
    world.emulator.force_job(&world.portal, None).unwrap();
    world.wait_until_complete("lost").await;
    assert_eq!(world.puts(), 1, "it had completed meanwhile, and was found to have");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_vanishes_during_the_run_fails_the_job_after_the_settle_time() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("orphan")).await;
    world.wait_for_reason("orphan", "Accepted").await;
    world.emulator.add_fault(Fault::new(Action::status(404)).method("GET").path(PathKind::ReplayJob));
    let failed = world.wait_until_failed("orphan").await;
    let failure = condition(&failed, &ConditionType::Failed).unwrap();
    assert_eq!(failure.reason, "PortalNotFound");
    assert!(failure.message.contains("look at the receiver"), "{}", failure.message);
    assert_eq!(world.puts(), 1);
}
