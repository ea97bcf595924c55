//! The webhook: a replay is not spent on one that is off.

use konnect_emulator::{Emit, Outage, Webhook};
use konnect_replay_core::api::{AuditLogReplayJob, Condition, ConditionStatus, ConditionType};

use crate::support::{JobBuilder, PATIENCE, World, condition, is_true};

fn webhook_ready(job: &AuditLogReplayJob) -> &Condition {
    condition(job, &ConditionType::WebhookReady).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_off_is_waited_for() {
    let world = World::new().await;
    let webhook = Webhook::new(world.receiver.url());
    world.emulator.set_webhook(&world.portal, webhook.clone().disabled()).unwrap();
    let job = world.create(world.job("off")).await;
    let lost = world.lose(&world.portal, &job, 2);

    let waiting = world.wait_for_reason("off", "WaitingForWebhook").await;
    assert_eq!(
        (webhook_ready(&waiting).status, webhook_ready(&waiting).reason.as_str()),
        (ConditionStatus::False, "WebhookDisabled")
    );
    assert!(is_true(&waiting, &ConditionType::Reconciling));
    let evidence = waiting.status.as_ref().unwrap().webhook.as_ref().unwrap();
    assert_eq!(evidence.enabled, Some(false));
    let calls = world.emulator.calls().len();
    world.at_konnect("four more calls", |e| (e.calls().len() >= calls + 4).then_some(())).await;
    assert_eq!(world.puts(), 0);
    assert!(world.status_writes("off").await <= 2, "{} writes while waiting", world.status_writes("off").await);

    world.emulator.set_webhook(&world.portal, webhook).unwrap();
    let done = world.wait_until_complete("off").await;
    assert_eq!(webhook_ready(&done).status, ConditionStatus::True);
    assert_eq!(done.status.as_ref().unwrap().webhook.as_ref().unwrap().enabled, Some(true));
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_webhook_404_means_that_there_is_none() {
    let world = World::builder().without_webhook().build().await;
    world.create(world.job("none")).await;
    let waiting = world.wait_for_reason("none", "WaitingForWebhook").await;
    assert_eq!(webhook_ready(&waiting).reason, "WebhookDisabled");
    world.more_looks(2).await;
    assert_eq!(world.puts(), 0);
    assert!(!world.reasons("none").contains(&"PortalNotFound".to_owned()));
    world.enable_webhook();
    world.wait_until_complete("none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_without_a_webhook_waits_in_both_versions() {
    let job = |name| JobBuilder::organization(name, "eu");
    futures::join!(waits_for_a_webhook(job("acme")), waits_for_a_webhook(job("acme").v3()));
}

async fn waits_for_a_webhook(job: JobBuilder) {
    let world = World::new().await;
    world.create(job).await;
    world.wait_for_reason("acme", "WaitingForWebhook").await;
    assert_eq!(world.puts(), 0);
    world.emulator.set_webhook(&world.organization(), Webhook::new(world.receiver.url())).unwrap();
    world.wait_until_complete("acme").await;
}

/// A replay is exactly what one runs after the receiver was mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inactive_webhook_warns_and_holds_nothing_up() {
    let world = World::builder().without_operator().build().await;
    world.receiver.set_outage(Outage::Answer(503));
    world.emulator.emit(&world.portal, Emit::now(1)).unwrap();
    let failed =
        |e: &konnect_emulator::Emulator| e.deliveries().iter().any(|d| d.response_code == Some(503)).then_some(());
    world.emulator.wait_for(PATIENCE, failed).await.unwrap();
    world.receiver.set_outage(None);
    let job = world.create(world.job("mended")).await;
    let lost = world.lose(&world.portal, &job, 2);

    let _operator = world.start_operator(&[]).await;
    let done = world.wait_until_complete("mended").await;

    let warned = world
        .history
        .of("mended")
        .into_iter()
        .find(|job| condition(job, &ConditionType::WebhookReady).is_some())
        .unwrap();
    let warning = webhook_ready(&warned);
    assert_eq!((warning.status, warning.reason.as_str()), (ConditionStatus::True, "WebhookInactive"));
    let evidence = warned.status.as_ref().unwrap().webhook.as_ref().unwrap();
    assert_eq!((evidence.status.as_deref(), evidence.last_response_code), (Some("inactive"), Some(503)));
    assert_eq!(webhook_ready(&done).reason, "WebhookEnabled", "the replay's own delivery was good");
    assert_eq!(done.status.as_ref().unwrap().webhook.as_ref().unwrap().last_response_code, Some(200));
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_policy_ignore_nobody_looks_before_sending() {
    let world = World::builder().without_webhook().build().await;
    world.create(world.job("regardless").ignoring_the_webhook().spec(|spec| spec.backoff_limit = 0)).await;
    // Konnect has nowhere to send the events to, and says so.
    let failed = world.wait_until_failed("regardless").await;
    assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "BackoffLimitExceeded");
    assert_eq!(world.runs().len(), 1);
    let calls = world.emulator.calls();
    let put = calls.iter().position(|call| call.method == "PUT").unwrap();
    assert!(calls[..put].iter().all(|call| !call.path.contains("webhook")), "{calls:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_may_be_changed_while_waiting() {
    let world = World::builder().without_webhook().flag("--retry-interval=10m").build().await;
    world.create(world.job("impatient").spec(|spec| spec.backoff_limit = 0)).await;
    world.wait_for_reason("impatient", "WaitingForWebhook").await;
    world.patch("impatient", serde_json::json!({ "spec": { "webhookPolicy": "Ignore" } })).await;
    world.wait_until_failed("impatient").await;
    assert_eq!(world.runs().len(), 1, "an edit is acted on at once, not at the next retry");
}
