//! `create`: the object, and how following it ends.

use konnect_emulator::Status;
use kube::ResourceExt;

use super::{Plugin, hours_ago};
use crate::support::{PORTAL, World, ready_reason};

fn create<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["create", name, "--region", "eu", "--portal", PORTAL, "--last", "1h"][..], more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_completes_ends_with_0() {
    let world = World::new().await;
    let ran = Plugin::of(&world).run(&create("outage", &["--wait"])).await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let last = ran.out.lines().last().unwrap();
    assert!(last.contains("Completed: Konnect"), "{ran:#?}");
    assert!(ran.out.contains(&format!("outage created in namespace {}\n", world.namespace)), "{ran:#?}");
    assert!(!ran.out.contains('\u{1b}'), "a pipe gets plain lines: {ran:#?}");
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_ends_with_1() {
    let world = World::new().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    let ran = Plugin::of(&world).run(&create("outage", &["--wait", "--backoff-limit", "0"])).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.out.lines().last().unwrap().contains("BackoffLimitExceeded: "), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_takes_longer_ends_with_3_and_goes_on() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let ran = Plugin::of(&world).run(&create("outage", &["--wait", "--timeout", "2s"])).await;
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.err.contains("outage has not finished within 2s") && ran.err.contains("The job continues"), "{ran:#?}");

    world.wait_for_reason("outage", "Accepted").await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    let again = Plugin::of(&world).run(&["status", "outage", "--wait"]).await;
    assert_eq!(again.code, Some(0), "{again:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_the_waiting_and_not_the_job() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    for (name, signal) in [("by-int", "INT"), ("by-term", "TERM")] {
        let mut waiting = Plugin::of(&world).start(&create(name, &["--wait"]));
        waiting.prints(": ").await;
        world.wait(name, "looked at", |job| !ready_reason(job).is_empty()).await;
        waiting.prints("Z  ").await;
        waiting.signal(signal);
        assert_eq!(waiting.exit().await.code(), Some(130), "{}", waiting.out());
        let said = format!("Stopped waiting. The job continues; to look again: kubectl replay status {name} --wait");
        super::eventually(|| waiting.err().contains(&said), || waiting.err()).await;
        assert!(world.get(name).await.metadata.deletion_timestamp.is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_deleted_meanwhile_ends_with_1() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let mut waiting = Plugin::of(&world).start(&create("outage", &["--wait"]));
    waiting.prints("Z  Accepted: ").await;
    world.delete("outage").await;
    assert_eq!(waiting.exit().await.code(), Some(1));
    super::eventually(|| waiting.err().contains("outage was deleted before it had finished"), || waiting.err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_option_stands_in_the_object() {
    let world = World::builder().without_operator().build().await;
    let (from, to) = (hours_ago(60), hours_ago(50));
    let plugin = Plugin::of(&world);
    let args = [
        "create",
        "all",
        "--region",
        "us",
        "--organization",
        "--konnect-api-version",
        "v3",
        "--from",
        &from,
        "--to",
        &to,
        "--secret",
        "other-token",
        "--secret-key",
        "value",
        "--suspend",
        "--webhook-policy",
        "Ignore",
        "--duplicate-policy",
        "Replay",
        "--expiry-policy",
        "Clamp",
        "--backoff-limit",
        "2",
        "--starting-deadline",
        "2h",
        "--active-deadline",
        "90m",
        "--ttl",
        "1d",
    ];
    plugin.done(&args).await;
    let spec = serde_json::to_value(world.get("all").await.spec).unwrap();
    let expected = serde_json::json!({
        "target": { "region": "us", "scope": "Organization", "konnectAPIVersion": "v3" },
        "window": { "startAt": from, "endAt": to },
        "tokenSecretRef": { "name": "other-token", "key": "value" },
        "suspend": true, "webhookPolicy": "Ignore", "duplicatePolicy": "Replay", "expiryPolicy": "Clamp",
        "backoffLimit": 2, "startingDeadlineSeconds": 7200, "activeDeadlineSeconds": 5400,
        "ttlSecondsAfterFinished": 86_400,
    });
    assert_eq!(spec, expected);

    // What is printed for Git is what would have been created.
    for format in ["yaml", "json"] {
        let printed = plugin.done(&[&args[..], &["-o", format]].concat()).await.replace("name: all", "name: printed");
        let printed = printed.replace("\"name\": \"all\"", "\"name\": \"printed\"");
        let applied = world.plane.apply(&printed).await.unwrap();
        assert_eq!(applied[0].namespace().as_ref(), Some(&world.namespace));
        assert_eq!(world.get("printed").await.spec, world.get("all").await.spec, "{format}");
        world.delete("printed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_taken_is_refused_and_said() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("outage")).await;
    let ran = Plugin::of(&world).run(&create("outage", &[])).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("there is a job named outage already"), "{ran:#?}");
}
