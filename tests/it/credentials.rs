//! The token: where it comes from, what is wrong with it, and where it must never show.

use k8s_openapi::api::core::v1::Event;
use konnect_emulator::Role;
use konnect_replay_core::api::{AuditLogReplayJob, ConditionStatus, ConditionType};
use kube::Api;
use kube::api::ListParams;

use crate::support::{CANARY, PATIENCE, SERVICE_ACCOUNT, TOKEN, World, condition};

/// Waits until the object says that the credentials are not valid, and why.
async fn invalid_because(world: &World, name: &str, reason: &str) -> AuditLogReplayJob {
    let is_so = |job: &AuditLogReplayJob| {
        condition(job, &ConditionType::CredentialsValid)
            .is_some_and(|c| c.status == ConditionStatus::False && c.reason == reason)
    };
    let job = world.wait(name, reason, is_so).await;
    assert_eq!(condition(&job, &ConditionType::Ready).unwrap().reason, "WaitingForCredentials");
    assert!(condition(&job, &ConditionType::Reconciling).is_some(), "it is tried on");
    job
}

/// Waits until the operator has read a Secret `n` times more.
async fn more_reads(world: &World, n: usize) {
    let from = world.plane.audit_mark().unwrap();
    let reads = world.audit().since(from).user(SERVICE_ACCOUNT).resource("secrets");
    let waiting = async {
        while reads.count().unwrap() < n {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

fn message(job: &AuditLogReplayJob) -> String {
    condition(job, &ConditionType::CredentialsValid).unwrap().message.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_missing_is_waited_for() {
    let world = World::new().await;
    world.create(world.job("early").secret("to-come", "token")).await;
    let job = invalid_because(&world, "early", "SecretNotFound").await;
    assert!(message(&job).contains("\"to-come\"") && message(&job).contains("\"token\""), "{}", message(&job));
    more_reads(&world, 2).await;
    assert!(world.emulator.calls().is_empty(), "nothing is asked of Konnect without a token");
    let writes = world.status_writes("early").await;
    more_reads(&world, 2).await;
    assert_eq!(world.status_writes("early").await, writes, "nothing is written while nothing changes");

    world.create_token("to-come", "token", TOKEN.as_bytes()).await;
    world.wait_until_complete("early").await;
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_missing_is_waited_for() {
    let world = World::new().await;
    world.create(world.job("keyless").secret("konnect-token", "other")).await;
    let job = invalid_because(&world, "keyless", "SecretKeyMissing").await;
    assert!(message(&job).contains("no key \"other\""), "{}", message(&job));
    world.create_token("konnect-token", "other", TOKEN.as_bytes()).await;
    world.wait_until_complete("keyless").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_cannot_be_a_token_never_leaves_the_cluster_and_can_be_mended() {
    let values: [(&[u8], &str); 5] = [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b"AKIA-canary", "--token-prefixes"),
        (b"kpat_canary\nkpat_canary", "cannot carry"),
        (b"kpat_canary\xff\xfe", "cannot carry"),
    ];
    futures::future::join_all(values.map(|(value, expected)| unusable(value, expected))).await;
}

async fn unusable(value: &'static [u8], expected: &str) {
    let world = World::new().await;
    world.create_token("konnect-token", "token", value).await;
    world.create(world.job("bad")).await;
    let job = invalid_because(&world, "bad", "InvalidToken").await;
    assert!(message(&job).contains(expected), "{value:?}: {}", message(&job));
    more_reads(&world, 2).await;
    assert!(world.emulator.calls().is_empty(), "{value:?} was sent");
    world.create_token("konnect-token", "token", TOKEN.as_bytes()).await;
    world.wait_until_complete("bad").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newline_after_the_token_does_no_harm() {
    let world = World::new().await;
    world.create_token("konnect-token", "token", format!("{TOKEN}\r\n").as_bytes()).await;
    world.create(world.job("newline")).await;
    world.wait_until_complete("newline").await;
    assert!(!world.reasons("newline").contains(&"WaitingForCredentials".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_and_rotated_during_a_run_costs_no_second_run() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.create(world.job("rotated")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_for_reason("rotated", "Accepted").await;

    world.emulator.revoke_token(TOKEN).unwrap();
    let denied = invalid_because(&world, "rotated", "Unauthorized").await;
    assert!(message(&denied).contains("put a new one into the Secret"), "{}", message(&denied));
    world.emulator.add_token("acme", "spat_second-canary", Role::AuditLogAdmin).unwrap();
    world.create_token("konnect-token", "token", b"spat_second-canary").await;
    world.wait_now("rotated", "Accepted again", |job| crate::support::ready_reason(job) == "Accepted").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    let done = world.wait_until_complete("rotated").await;

    assert_eq!((world.puts(), world.runs().len()), (1, 1));
    assert_eq!(condition(&done, &ConditionType::CredentialsValid).unwrap().status, ConditionStatus::True);
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_granted_late_is_noticed() {
    let world = World::new().await;
    world.emulator.set_role(TOKEN, Role::Member).unwrap();
    world.create(world.job("member")).await;
    let job = invalid_because(&world, "member", "Forbidden").await;
    assert!(message(&job).contains("Audit Log Admin"), "{}", message(&job));
    let writes = world.status_writes("member").await;
    let looks = world.emulator.calls().len();
    world.at_konnect("four more calls", |e| (e.calls().len() >= looks + 4).then_some(())).await;
    assert_eq!(world.status_writes("member").await, writes, "trace ids that change write nothing");
    assert_eq!(world.puts(), 0);
    world.emulator.set_role(TOKEN, Role::AuditLogAdmin).unwrap();
    world.wait_until_complete("member").await;
}

/// Log lines and objects are searched at the end of every test of this binary; here also Events, and that there was a token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_shows_in_no_event() {
    let world = World::new().await;
    world.emulator.revoke_token(TOKEN).unwrap();
    world.create(world.job("secretive")).await;
    invalid_because(&world, "secretive", "Unauthorized").await;
    assert!(TOKEN.contains(CANARY));
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(!serde_json::to_string(&events.items).unwrap().contains(CANARY));
}
