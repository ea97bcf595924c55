//! Two organisations of one region share nothing but the region, also at scope Organization, where no id tells them apart.

use chrono::TimeDelta;
use konnect_emulator::{TargetKey, Webhook};

use super::{Neighbours, aged, ago, give_token, is_finished, is_sent, revoke};
use crate::support::{JobBuilder, World};

/// An organisation with a webhook, and a Secret of its name in `namespace`.
async fn join(konnect: &World, namespace: &World, name: &str) -> TargetKey {
    konnect.emulator.add_organization(name, &format!("kpat_canary-of-{name}")).unwrap();
    give_token(&konnect.emulator, name, namespace, name).await;
    let target = TargetKey::organization(name, "eu");
    konnect.emulator.set_webhook(&target, Webhook::new(konnect.receiver.url())).unwrap();
    target
}

fn job_of(organisation: &str) -> JobBuilder {
    JobBuilder::organization(organisation, "eu").secret(organisation, "token")
}

/// One receiver that was down is behind two organisations, so both jobs have the same window.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_window_is_sent_for_both_of_two_organisations() {
    let world = World::new().await;
    let (mut lost, start) = (Vec::new(), ago(5));
    for name in ["prod", "staging"] {
        let target = join(&world, &world, name).await;
        let job = world.create(job_of(name).window(start, start + TimeDelta::hours(1))).await;
        lost.extend(world.lose(&target, &job, 2));
        // The second begins when the first is on record as a job that replayed this window.
        is_sent(&world, name).await;
        assert_eq!(world.emulator.runs(&target).unwrap().len(), 1, "{name}");
    }
    world.received_once(&lost).await;
}

/// `get_stuck` happens to the organisation of the first job. Another organisation, with its Secret in the same namespace, and a
/// third, in another namespace, are not held up.
async fn another_organisation_is_sent(reason: &str, get_stuck: impl AsyncFn(&World, &TargetKey)) {
    let Neighbours { here, there, _operator } = Neighbours::new().await;
    let stuck = join(&here, &here, "stuck").await;
    get_stuck(&here, &stuck).await;
    here.create(aged(job_of("stuck"), 90)).await;
    here.wait_for_reason("stuck", reason).await;
    let (near, far) = (join(&here, &here, "near").await, join(&here, &there, "far").await);

    here.create(aged(job_of("near"), 5)).await;
    there.create(aged(job_of("far"), 5)).await;
    is_sent(&here, "near").await;
    is_sent(&there, "far").await;

    assert!(!is_finished(&here.get("stuck").await));
    for target in [near, far] {
        assert_eq!(here.emulator.runs(&target).unwrap().len(), 1, "{target}");
    }
    let queued = here.reasons("near").into_iter().chain(there.reasons("far")).filter(|reason| reason == "Queued");
    assert_eq!(queued.count(), 0, "neither waits for the other organisation at any time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_hangs_in_one_organisation_does_not_stop_another() {
    another_organisation_is_sent("Accepted", async |world, target| {
        world.emulator.set_manual(target, true).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_off_in_one_organisation_does_not_stop_another() {
    another_organisation_is_sent("WaitingForWebhook", async |world, target| {
        world.emulator.set_webhook(target, None).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_one_organisation_refuses_does_not_stop_another() {
    another_organisation_is_sent("WaitingForCredentials", async |world, _| {
        revoke(&world.emulator, world, "stuck");
    })
    .await;
}
