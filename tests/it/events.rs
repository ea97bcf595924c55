//! Events as a user sees them, and that nothing depends on them.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta, Utc};
use k8s_openapi::api::events::v1::Event;
use konnect_emulator::{Q2, TargetKey};
use kube::Api;
use kube::api::ListParams;

use crate::support::{CANARY, JobBuilder, PATIENCE, SERVICE_ACCOUNT, World, condition, ready_reason};

const OTHER_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";

/// The Events about an object, oldest first.
async fn events(world: &World, name: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let all = api.list(&ListParams::default()).await.unwrap().items;
    let of = |event: &Event| event.regarding.as_ref().is_some_and(|r| r.name.as_deref() == Some(name));
    let mut events: Vec<Event> = all.into_iter().filter(of).collect();
    events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    assert!(!serde_json::to_string(&events).unwrap().contains(CANARY), "the token stands in an Event");
    events
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_deref().unwrap()).collect()
}

/// Waits until there is an Event with this reason, and returns all of the object.
pub async fn wait_for(world: &World, name: &str, reason: &str) -> Vec<Event> {
    let waiting = async {
        loop {
            let seen = events(world, name).await;
            if reasons(&seen).contains(&reason) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no Event {reason} about {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_told_in_events() {
    let world = World::builder().pace(Duration::from_millis(900)).build().await;
    let job = world.create(world.job("told")).await;
    world.wait_until_complete("told").await;

    let events = wait_for(&world, "told", "Completed").await;

    assert_eq!(reasons(&events), ["Submitted", "Running", "Completed"]);
    for event in &events {
        let regarding = event.regarding.as_ref().unwrap();
        assert_eq!((&regarding.uid, regarding.kind.as_deref()), (&job.metadata.uid, Some("AuditLogReplayJob")));
        assert_eq!(regarding.api_version.as_deref(), Some("konnect-replay.dev/v1alpha1"));
        assert_eq!((event.type_.as_deref(), event.action.as_deref()), (Some("Normal"), Some("Replay")));
        assert_eq!(event.reporting_controller.as_deref(), Some("konnect-replay"));
        assert!(event.note.as_deref().unwrap().contains(" to "), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_told_once_with_konnects_trace_id_which_stands_in_no_object() {
    let world = World::builder().emulator(|options| options.q2 = Q2::Region).build().await;
    let elsewhere: TargetKey = world.add_portal("eu", OTHER_PORTAL);
    world.foreign_run(&elsewhere);
    world.emulator.advance(&elsewhere, konnect_emulator::Status::Running).unwrap();
    world.create(world.job("refused")).await;
    world.at_konnect("three refused requests", |_| (world.puts() >= 3).then_some(())).await;
    world.emulator.set_manual(&elsewhere, false).unwrap();
    world.emulator.advance(&elsewhere, konnect_emulator::Status::Completed).unwrap();
    world.wait_until_complete("refused").await;

    let events = wait_for(&world, "refused", "Completed").await;

    assert_eq!(reasons(&events).iter().filter(|reason| **reason == "Conflict").count(), 1, "{events:#?}");
    let note = events.iter().find(|e| e.reason.as_deref() == Some("Conflict")).unwrap().note.clone().unwrap();
    assert!(note.contains("409") && note.contains("(Konnect trace konnect:trace:"), "{note}");
    let shown = serde_json::to_string(&world.history.of("refused")).unwrap();
    assert!(!shown.contains(":trace:"), "a trace id is new in every answer, and would change the object each time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_references_and_webhooks_are_warned_about() {
    let world = World::new().await;
    world.create_token("wrong", "token", b"kpat_canary-that-nobody-knows").await;
    world.create(world.job("rejected").secret("wrong", "token")).await;
    wait_for(&world, "rejected", "Unauthorized").await;
    world.create(world.job("astray").secret("nowhere", "token")).await;
    world.create(JobBuilder::portal("afar", "xx", OTHER_PORTAL)).await;
    let silent = world.emulator.add_portal("acme", "us", OTHER_PORTAL).unwrap();
    world.emulator.set_webhook(&silent, None).unwrap();
    world.create(JobBuilder::portal("silent", "us", OTHER_PORTAL)).await;
    for (name, reason, words) in [
        ("rejected", "Unauthorized", "Konnect answered 401"),
        ("astray", "SecretNotFound", "Create it with the Konnect token"),
        ("afar", "RegionNotAllowed", "--regions"),
        ("silent", "WebhookDisabled", "no enabled audit-log webhook"),
    ] {
        let events = wait_for(&world, name, reason).await;
        let event = events.iter().find(|event| event.reason.as_deref() == Some(reason)).unwrap();
        assert_eq!(event.type_.as_deref(), Some("Warning"), "{reason}");
        assert!(event.note.as_deref().unwrap().contains(words), "{event:?}");
    }
}

/// The moment comes while nothing else happens, and a process that begins after it does not make a second Event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_near_end_of_retention_is_told_of_a_suspended_object_once_also_after_a_restart() {
    let mut world = World::new().await;
    let start = Utc::now().trunc_subsecs(0) - TimeDelta::hours(144) + TimeDelta::seconds(5);
    world.create(world.job("ageing").window(start, start + TimeDelta::hours(1)).suspended()).await;
    let held = world.wait_for_reason("ageing", "Suspended").await;
    let told = wait_for(&world, "ageing", "WindowExpiringSoon").await;
    let expires = held.status.as_ref().unwrap().window.as_ref().unwrap().expires_at;
    let note = told[0].note.as_deref().unwrap();
    assert!(note.contains("less than 24 h") && note.contains("spec.suspend is true"), "{note}");
    assert!(note.contains(&expires.format("%FT%TZ").to_string()), "{note}");
    world.operator().signal("TERM");
    assert!(world.operator().exit().await.success());

    world.operator = Some(world.start_operator(&[]).await);
    let again = world.audit().user(SERVICE_ACCOUNT).verb("create").resource("events").code(409);
    let trying = async {
        while again.count().unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("the next process announces it under the same name");
    assert_eq!(reasons(&events(&world, "ageing").await), ["WindowExpiringSoon"]);
    assert_eq!(ready_reason(&world.get("ageing").await), "Suspended");
}

/// Nothing wakes it but the time: our clock and Konnect's are given 15 minutes to differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_object_fails_when_its_window_has_expired() {
    let world = World::new().await;
    let start = Utc::now().trunc_subsecs(0) - TimeDelta::hours(168) - TimeDelta::minutes(15) + TimeDelta::seconds(5);
    world.create(world.job("outlived").window(start, start + TimeDelta::hours(1)).suspended()).await;
    world.wait_for_reason("outlived", "Suspended").await;
    let failed = world.wait_until_failed("outlived").await;
    assert_eq!(ready_reason(&failed), "WindowExpired");
    let events = wait_for(&world, "outlived", "WindowExpired").await;
    assert_eq!(reasons(&events), ["WindowExpired"]);
    assert_eq!(world.puts(), 0, "Konnect's clock is asked, and nothing is sent");
}

/// A role of an older installation.
const WITHOUT_EVENTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: without-events}
rules:
  - {apiGroups: [konnect-replay.dev], resources: [auditlogreplayjobs], verbs: [get, list, watch]}
  - {apiGroups: [konnect-replay.dev], resources: [auditlogreplayjobs/status], verbs: [patch]}
  - {apiGroups: [''], resources: [secrets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: without-events}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: without-events}
subjects: [{kind: ServiceAccount, name: without-events, namespace: konnect-replay}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_create_events_everything_else_works_and_the_log_says_so_once() {
    let mut world = World::builder().without_operator().build().await;
    world.plane.apply(WITHOUT_EVENTS).await.unwrap();
    world.kubeconfig = world.plane.service_account_kubeconfig("konnect-replay", "without-events").await.unwrap();
    world.operator = Some(world.start_operator(&[]).await);
    for name in ["first", "second"] {
        let hours = if name == "first" { 4 } else { 2 };
        let start = Utc::now() - TimeDelta::hours(hours);
        world.create(world.job(name).window(start, start + TimeDelta::hours(1))).await;
        let done = world.wait_until_complete(name).await;
        assert!(condition(&done, &konnect_replay_core::api::ConditionType::Ready).is_some());
        assert!(events(&world, name).await.is_empty());
    }
    world.operator().signal("TERM");
    assert!(world.operator().exit().await.success());
    let log = world.operator().log();
    let said = log.iter().filter(|line| line.contains("Events cannot be published")).count();
    let warnings = log.iter().filter(|line| line.contains(r#""level":"WARN""#) && !line.contains("plain http")).count();
    assert_eq!((said, warnings), (1, 1), "{}", log.join("\n"));
    let refused = world.audit().verb("create").resource("events").code(403).count().unwrap();
    assert!(refused > 1, "it goes on trying, so that a role that is mended takes effect: {refused}");
}
