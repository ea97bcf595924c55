//! deploy/samples: each does what its comment says, with fresh times and as it stands.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use konnect_emulator::Webhook;
use konnect_replay_core::api::AuditLogReplayJob;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{PORTAL, World, ready_reason};

const START: &str = "2020-01-01T00:00:00Z";
const END: &str = "2020-01-01T01:00:00Z";
const SAMPLE_PORTAL: &str = "00000000-0000-4000-8000-000000000000";

/// Every sample by its name.
fn samples() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    yaml.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The sample as its comment tells to use it.
fn prepared(text: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> String {
    for placeholder in [START, END] {
        assert_eq!(text.matches(placeholder).count(), 2, "{placeholder} stands in the command and in the window");
    }
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    text.replace(START, &time(start)).replace(END, &time(end)).replace(SAMPLE_PORTAL, PORTAL)
}

async fn apply(world: &World, manifest: &str) {
    world.plane.apply_in(&world.namespace, manifest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sample_does_what_it_says() {
    let world = World::new().await;
    let organization = world.organization();
    world.emulator.set_webhook(&organization, Webhook::new(world.receiver.url())).unwrap();
    let now = Utc::now();
    for (hours, (name, text)) in (2..).zip(samples()) {
        let (start, end) = match name.as_str() {
            "clamp" => (now - TimeDelta::hours(170), now - TimeDelta::hours(100)),
            // The same window twice: what replay-again is for.
            "portal" | "replay-again" => (now - TimeDelta::hours(60), now - TimeDelta::hours(59)),
            _ => (now - TimeDelta::hours(hours), now - TimeDelta::hours(hours - 1)),
        };
        apply(&world, &prepared(&text, start, end)).await;
        let expected = match name.as_str() {
            "suspended" => "Suspended",
            "portal" | "organization" | "api-v3" | "clamp" | "replay-again" | "ignore-webhook" | "deadlines"
            | "backoff-limit" | "time-to-live" => "Completed",
            other => panic!("say in this test what the sample {other} does"),
        };
        let job = world.wait_for_reason(&name, expected).await;
        assert_eq!(job.spec.ttl_seconds_after_finished.is_some(), name == "time-to-live", "{name}");
        assert_eq!(job.status.unwrap().window.unwrap().clamped, name == "clamp", "{name}");
    }
    assert_eq!(world.emulator.runs(&organization).unwrap().len(), 1);
    assert_eq!(world.runs().len(), 8, "one run for each sample but the organisation's and the suspended one");
}

/// A tool that plans by a dry run (Terraform's `kubernetes_manifest`) sees before what it gets, and nothing to change after: neither
/// defaults nor the operator write into what was applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_applied_as_it_was_planned_and_planned_again_nothing_changes() {
    let world = World::new().await;
    world.emulator.set_webhook(&world.organization(), Webhook::new(world.receiver.url())).unwrap();
    for (name, text) in samples() {
        let manifest: Value = serde_saphyr::from_str(&text).unwrap();
        let apply = async |manifest: &Value, dry_run: bool| -> AuditLogReplayJob {
            let params = PatchParams { dry_run, ..PatchParams::apply("terraform") };
            world.jobs().patch(&name, &params, &Patch::Apply(manifest)).await.unwrap()
        };
        let planned = apply(&manifest, true).await;
        let applied = apply(&manifest, false).await;
        assert_eq!(planned.spec, applied.spec, "{name}");
        // Without a time to live the object is there when the operator is done with it.
        if applied.spec.ttl_seconds_after_finished.is_none() {
            let over = world.wait_until_failed(&name).await;
            for manifest in [manifest, with_every_default(&over)] {
                let again = apply(&manifest, true).await;
                assert_eq!((&again.spec, again.metadata.generation), (&applied.spec, Some(1)), "{name}");
            }
        }
    }
}

/// What a user writes who leaves nothing to the defaults.
fn with_every_default(job: &AuditLogReplayJob) -> Value {
    let metadata = json!({ "name": job.metadata.name, "annotations": {} });
    json!({ "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob", "metadata": metadata, "spec": job.spec })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_applied_as_it_stands_sends_nothing() {
    let world = World::new().await;
    for (name, text) in samples() {
        apply(&world, &text).await;
        let job = world.wait_until_failed(&name).await;
        assert_eq!(ready_reason(&job), "WindowExpired", "{name}");
    }
    assert_eq!(world.puts(), 0);
}
