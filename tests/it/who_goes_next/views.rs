//! What a job sees with its token, under its version of Konnect's API and with its webhook policy says nothing to a job that looks
//! at the same portal in another way.

use konnect_emulator::{Action, ApiVersion, Fault, Q3};

use super::{Neighbours, aged, give_token, is_finished, is_sent};
use crate::support::{JobBuilder, PORTAL, TOKEN, World, ready_reason};

/// Konnect answers 404 to a token of another organisation, in whichever namespace it is. The good token is asked for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_404_to_the_token_of_another_organisation_holds_up_no_good_token() {
    let Neighbours { here, there, _operator } = Neighbours::new().await;
    here.emulator.add_organization("stranger", "kpat_canary-of-stranger").unwrap();
    for namespace in [&here, &there] {
        give_token(&here.emulator, "stranger", namespace, "wrong").await;
        namespace.create(aged(here.job("wrong").secret("wrong", "token"), 90)).await;
        namespace.wait_for_reason("wrong", "PortalNotFound").await;
    }

    // In a namespace of its own each good job has the first look behind both wrong ones.
    for (namespace, hours) in [(&here, 5), (&there, 7)] {
        namespace.create(aged(here.job("good"), hours)).await;
        is_sent(namespace, "good").await;
        assert_eq!(ready_reason(&namespace.get("wrong").await), "PortalNotFound");
        assert!(!namespace.reasons("good").contains(&"PortalNotFound".to_owned()));
    }
    assert_eq!(here.runs().len(), 2);
}

/// What Konnect says of a token belongs to one region.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_one_region_refuses_is_used_in_another() {
    // Longer than the test waits: what was found in one region is not tried again meanwhile.
    let world = World::builder().flag("--retry-interval=10m").build().await;
    let elsewhere = super::portal_id(1);
    world.add_portal("us", &elsewhere);
    world.emulator.add_fault(Fault::new(Action::status(401)).region("us"));
    world.create(aged(JobBuilder::portal("refused", "us", &elsewhere), 90)).await;
    world.wait_for_reason("refused", "WaitingForCredentials").await;

    world.create(aged(world.job("taken"), 5)).await;
    is_sent(&world, "taken").await;

    assert_eq!(ready_reason(&world.get("refused").await), "WaitingForCredentials");
}

/// The advice that the first job gives is followed while it still waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_404_under_one_version_holds_up_no_job_of_the_other_version() {
    let in_v2 = |name: &str| JobBuilder::portal(name, "eu", PORTAL).v2();
    let in_v3 = |name: &str| JobBuilder::portal(name, "eu", PORTAL).v3();
    for (only, wrong, right) in
        [(ApiVersion::V3, in_v2("wrong"), in_v3("right")), (ApiVersion::V2, in_v3("wrong"), in_v2("right"))]
    {
        let world = World::new().await;
        world.emulator.set_portal_version(&world.portal, Some(only)).unwrap();
        world.create(aged(wrong, 90)).await;
        world.wait_for_reason("wrong", "PortalNotFound").await;

        world.create(aged(right, 5)).await;
        is_sent(&world, "right").await;

        assert_eq!(ready_reason(&world.get("wrong").await), "PortalNotFound", "{only:?}");
        assert_eq!((world.puts(), world.runs().len()), (1, 1), "{only:?}");
    }
}

/// A job that waits for a webhook is no reason to wait for a job that ignores it, which may be created or edited so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_for_the_webhook_holds_up_no_job_that_ignores_it() {
    let world = World::builder().without_webhook().build().await;
    // Without a destination such a run is no failure here: Konnect says that it has handed the events over.
    world.emulator.set_q3(Q3::HandedOver);
    for (name, hours) in [("waits", 90), ("edited", 80)] {
        world.create(aged(world.job(name), hours)).await;
    }
    world.wait_for_reason("waits", "WaitingForWebhook").await;
    world
        .wait("edited", "held up by the webhook", |job| {
            ["Queued", "WaitingForWebhook"].contains(&ready_reason(job).as_str())
        })
        .await;

    world.create(aged(world.job("ignores"), 5).ignoring_the_webhook()).await;
    is_sent(&world, "ignores").await;
    world.patch("edited", serde_json::json!({ "spec": { "webhookPolicy": "Ignore" } })).await;
    is_sent(&world, "edited").await;

    assert!(!is_finished(&world.get("waits").await));
    assert_eq!(world.runs().len(), 2);
    world.enable_webhook();
    world.wait_until_complete("waits").await;
}

/// A Secret that is missing concerns the jobs that name it and no others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_without_a_token_holds_up_no_other_secret_on_its_portal() {
    let Neighbours { here, there, _operator } = Neighbours::new().await;
    here.create(aged(here.job("missing").secret("later", "token"), 90)).await;
    here.wait_for_reason("missing", "WaitingForCredentials").await;
    // A Secret of the same name in another namespace is another one.
    there.create_token("later", "token", TOKEN.as_bytes()).await;
    there.create(aged(here.job("same-name").secret("later", "token"), 7)).await;
    here.create(aged(here.job("other-name"), 5)).await;
    is_sent(&there, "same-name").await;
    is_sent(&here, "other-name").await;
    assert_eq!(ready_reason(&here.get("missing").await), "WaitingForCredentials");
}
