//! What kstatus makes of objects, at every moment of their lives: the real library, over every version that a watch has shown.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Status, TargetKey, Webhook, Window};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::support::{JobBuilder, PATIENCE, Reader, World, ask, is_true, ready_reason};

/// One life: its object, and what kstatus has to say of it, repetitions left out.
struct Life {
    name: &'static str,
    verdicts: &'static [&'static str],
}

const DONE: &[&str] = &["InProgress", "Current"];
const FAILED: &[&str] = &["InProgress", "Failed"];

fn life(name: &'static str, verdicts: &'static [&'static str]) -> Life {
    Life { name, verdicts }
}

/// The versions of an object, each with its verdict.
async fn read(world: &World, name: &str) -> Vec<(AuditLogReplayJob, String)> {
    let versions = world.history.of(name);
    let lines = versions.iter().map(|job| serde_json::to_value(job).unwrap()).collect();
    let verdicts = ask(Reader::Kstatus, lines).await;
    versions.into_iter().zip(verdicts.iter().map(|verdict| verdict["status"].as_str().unwrap().to_owned())).collect()
}

/// What the verdict has to be at this moment, told from the specification of the object and not from the conditions that kstatus
/// reads.
fn is_right(job: &AuditLogReplayJob, verdict: &str) -> bool {
    let status = job.status.as_ref().unwrap();
    let observed = Some(status.observed_generation) == job.metadata.generation;
    let needs_a_hand = ["InvalidWindow", "RegionNotAllowed", "InvalidRequest"].contains(&ready_reason(job).as_str());
    match verdict {
        "Terminating" => job.metadata.deletion_timestamp.is_some(),
        _ if job.metadata.deletion_timestamp.is_some() => false,
        "InProgress" => {
            let over = status.completion_time.is_some() || status.failed_time.is_some() || needs_a_hand;
            !observed || !over && !is_true(job, &ConditionType::Stalled)
        }
        "Current" => observed && status.completion_time.is_some() && status.failed_time.is_none(),
        "Failed" => {
            let stalled = is_true(job, &ConditionType::Stalled);
            observed && status.completion_time.is_none() && (status.failed_time.is_some() || needs_a_hand || stalled)
        }
        _ => false,
    }
}

fn deduplicated(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.collect();
    items.dedup();
    items
}

async fn judge(world: &World, lives: &[Life]) {
    println!("{:<22} {:<36} states on the way (versions)", "life", "kstatus");
    for life in lives {
        let versions = read(world, life.name).await;
        let verdicts = deduplicated(versions.iter().map(|(_, verdict)| verdict.clone()));
        let states =
            deduplicated(versions.iter().map(|(job, _)| ready_reason(job)).filter(|reason| !reason.is_empty()));
        println!("{:<22} {:<36} {} ({})", life.name, verdicts.join(" "), states.join(" "), versions.len());
        for (job, verdict) in &versions {
            assert!(is_right(job, verdict), "{} at {:?}: {verdict}", life.name, job.metadata.resource_version);
        }
        assert_eq!(verdicts, life.verdicts, "{}: {:#?}", life.name, world.states(life.name));
        assert_eq!(versions[0].1, "InProgress", "{}: before our first visit", life.name);
    }
}

/// A portal of a life's own, so that lives do not wait for each other.
struct Stage<'a> {
    world: &'a World,
    portal: TargetKey,
    id: String,
}

impl<'a> Stage<'a> {
    fn new(world: &'a World, number: u32) -> Self {
        let id = format!("0d0f7b52-0000-4c39-9f3c-{number:012x}");
        Self { world, portal: world.add_portal("eu", &id), id }
    }

    fn job(&self, name: &str) -> JobBuilder {
        JobBuilder::portal(name, "eu", &self.id)
    }

    async fn create(&self, job: JobBuilder) {
        self.world.create(job).await;
    }

    fn manual(&self, manual: bool) {
        self.world.emulator.set_manual(&self.portal, manual).unwrap();
    }

    fn konnect_goes_to(&self, status: Status) {
        self.world.emulator.advance(&self.portal, status).unwrap();
    }

    async fn patch(&self, name: &str, patch: serde_json::Value) {
        self.world.patch(name, patch).await;
    }

    async fn observed(&self, name: &str, generation: i64) {
        let observed = |job: &AuditLogReplayJob| job.status.as_ref().unwrap().observed_generation == generation;
        self.world.wait_now(name, "observed", observed).await;
    }

    /// Deletes an object that somebody else's finalizer holds for a moment.
    async fn delete_slowly(&self, name: &str) {
        self.patch(name, json!({ "metadata": { "finalizers": ["example.com/tests"] } })).await;
        self.world.jobs().delete(name, &DeleteParams::default()).await.unwrap();
        self.world.wait_now(name, "being deleted", |job| job.metadata.deletion_timestamp.is_some()).await;
        self.patch(name, json!({ "metadata": { "finalizers": null } })).await;
    }
}

fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0) - TimeDelta::hours(hours)
}

async fn world() -> World {
    World::builder().flag("--serialize=portal").flag("--backoff-base=1s").build().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_that_complete() {
    let world = &world().await;
    let plain = async {
        let stage = Stage::new(world, 1);
        stage.create(stage.job("plain")).await;
        world.wait_until_complete("plain").await;
    };
    let edited = async {
        let stage = Stage::new(world, 2);
        stage.create(stage.job("edited-after-the-end")).await;
        world.wait_until_complete("edited-after-the-end").await;
        world.suspend("edited-after-the-end", true).await;
        stage.observed("edited-after-the-end", 2).await;
    };
    let held = async {
        let stage = Stage::new(world, 3);
        stage.create(stage.job("suspended-resumed").suspended()).await;
        world.wait_for_reason("suspended-resumed", "Suspended").await;
        world.suspend("suspended-resumed", false).await;
        world.wait_until_complete("suspended-resumed").await;
    };
    let secret = async {
        let stage = Stage::new(world, 4);
        stage.create(stage.job("secret-mended").secret("later", "token")).await;
        world.wait_for_reason("secret-mended", "WaitingForCredentials").await;
        world.create_token("later", "token", crate::support::TOKEN.as_bytes()).await;
        world.wait_until_complete("secret-mended").await;
    };
    let webhook = async {
        let stage = Stage::new(world, 5);
        world.emulator.set_webhook(&stage.portal, None).unwrap();
        stage.create(stage.job("webhook-enabled")).await;
        world.wait_for_reason("webhook-enabled", "WaitingForWebhook").await;
        world.emulator.set_webhook(&stage.portal, Webhook::new(world.receiver.url())).unwrap();
        world.wait_until_complete("webhook-enabled").await;
    };
    futures::join!(plain, edited, held, secret, webhook);
    let lives = [
        life("plain", DONE),
        life("edited-after-the-end", &["InProgress", "Current", "InProgress", "Current"]),
        life("suspended-resumed", DONE),
        life("secret-mended", DONE),
        life("webhook-enabled", DONE),
    ];
    judge(world, &lives).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_that_complete_in_other_ways() {
    let world = &world().await;
    let blocked = async {
        let stage = Stage::new(world, 6);
        world.foreign_run(&stage.portal);
        stage.create(stage.job("blocked-then-sent")).await;
        world.wait_for_reason("blocked-then-sent", "BlockedByRemoteJob").await;
        stage.manual(false);
        stage.konnect_goes_to(Status::Completed);
        world.wait_until_complete("blocked-then-sent").await;
    };
    let adopted = async {
        let stage = Stage::new(world, 7);
        stage.manual(true);
        stage.create(stage.job("adopted").window(ago(30), ago(29)).suspended()).await;
        world.wait_for_reason("adopted", "Suspended").await;
        let spec = world.get("adopted").await.spec.window;
        let window = Window::new(spec.start_at.parse().unwrap(), spec.end_at.parse().unwrap());
        world.emulator.foreign_run(&stage.portal, window).unwrap();
        world.suspend("adopted", false).await;
        world.wait_for_reason("adopted", "Adopted").await;
        stage.konnect_goes_to(Status::Completed);
        world.wait_until_complete("adopted").await;
    };
    let skipped = async {
        let stage = Stage::new(world, 8);
        let (start, end) = (ago(5), ago(4));
        let job = |name| stage.job(name).window(start, end);
        let created = world.create(job("sent-once")).await;
        world.lose(&stage.portal, &created, 1);
        world.wait_until_complete("sent-once").await;
        stage.create(job("skipped-duplicate")).await;
        assert_eq!(ready_reason(&world.wait_until_complete("skipped-duplicate").await), "AlreadyReplayed");
    };
    let retried = async {
        let stage = Stage::new(world, 9);
        world.emulator.fail_next(&stage.portal, 1).unwrap();
        stage.create(stage.job("failed-run-retried")).await;
        world.wait_until_complete("failed-run-retried").await;
    };
    let stuck = async {
        let stage = Stage::new(world, 10);
        stage.create(stage.job("stalled-then-mended").secret("much-later", "token")).await;
        world.wait_for_reason("stalled-then-mended", "WaitingForCredentials").await;
        since_long_ago(world, "stalled-then-mended").await;
        world.wait_now("stalled-then-mended", "Stalled", |job| is_true(job, &ConditionType::Stalled)).await;
        world.create_token("much-later", "token", crate::support::TOKEN.as_bytes()).await;
        world.wait_until_complete("stalled-then-mended").await;
    };
    futures::join!(blocked, adopted, skipped, retried, stuck);
    let lives = [
        life("blocked-then-sent", DONE),
        life("adopted", DONE),
        life("skipped-duplicate", DONE),
        life("failed-run-retried", DONE),
        life("stalled-then-mended", &["InProgress", "Failed", "InProgress", "Current"]),
    ];
    judge(world, &lives).await;
}

/// As if its Secret had been missing for ten minutes.
async fn since_long_ago(world: &World, name: &str) {
    let mut status = world.get(name).await.status.unwrap();
    for condition in &mut status.conditions {
        condition.last_transition_time -= TimeDelta::minutes(10);
    }
    let patch = json!({ "status": { "conditions": status.conditions } });
    world.jobs().patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_that_fail_or_are_cut_short() {
    let world = &world().await;
    let given_up = async {
        let stage = Stage::new(world, 1);
        world.emulator.fail_next(&stage.portal, 1).unwrap();
        stage.create(stage.job("given-up-edited").spec(|spec| spec.backoff_limit = 0)).await;
        world.wait_until_failed("given-up-edited").await;
        stage.patch("given-up-edited", json!({ "spec": { "backoffLimit": 3 } })).await;
        stage.observed("given-up-edited", 2).await;
    };
    let expired = async {
        let stage = Stage::new(world, 2);
        stage.create(stage.job("expired").window(ago(200), ago(199))).await;
        world.wait_until_failed("expired").await;
    };
    let region = async {
        world.create(JobBuilder::organization("unknown-region", "xx")).await;
        world.wait_for_reason("unknown-region", "RegionNotAllowed").await;
    };
    let far = async {
        let stage = Stage::new(world, 3);
        stage.create(stage.job("far-future").window(ago(-300), ago(-301))).await;
        world.wait_for_reason("far-future", "InvalidWindow").await;
    };
    let late = async {
        let stage = Stage::new(world, 4);
        world.foreign_run(&stage.portal);
        stage.create(stage.job("too-late").spec(|spec| spec.starting_deadline_seconds = Some(1))).await;
        world.wait_until_failed("too-late").await;
    };
    let deleted = async {
        let stage = Stage::new(world, 5);
        stage.manual(true);
        stage.create(stage.job("deleted-while-running")).await;
        world.wait_for_reason("deleted-while-running", "Accepted").await;
        stage.delete_slowly("deleted-while-running").await;
    };
    let tidied = async {
        let stage = Stage::new(world, 6);
        stage.create(stage.job("deleted-after-the-end")).await;
        world.wait_until_complete("deleted-after-the-end").await;
        stage.delete_slowly("deleted-after-the-end").await;
    };
    let held = async {
        let stage = Stage::new(world, 7);
        stage.create(stage.job("held-for-good").suspended()).await;
        world.wait_for_reason("held-for-good", "Suspended").await;
    };
    futures::join!(given_up, expired, region, far, late, deleted, tidied, held);
    judge(
        world,
        &[
            life("given-up-edited", &["InProgress", "Failed", "InProgress", "Failed"]),
            life("expired", FAILED),
            life("unknown-region", FAILED),
            life("far-future", FAILED),
            life("too-late", FAILED),
            life("deleted-while-running", &["InProgress", "Terminating"]),
            life("deleted-after-the-end", &["InProgress", "Current", "Terminating"]),
            life("held-for-good", &["InProgress"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_nobody_has_visited_is_in_progress() {
    let world = World::builder().without_operator().build().await;
    world.create(world.job("unvisited")).await;
    world.history.wait("unvisited", PATIENCE, |_| true).await.unwrap();
    judge(&world, &[Life { name: "unvisited", verdicts: &["InProgress"] }]).await;
}

/// A Secret, a region and a window that are no good are named although the lane, and the portal, are somebody else's for as long as
/// the test lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_while_others_run() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("running")).await;
    world.wait_for_reason("running", "Accepted").await;
    world.create_token("keyless", "another", crate::support::TOKEN.as_bytes()).await;
    world.create(world.job("behind").window(ago(4), ago(3))).await;
    world.create(world.job("no-secret").window(ago(6), ago(5)).secret("nowhere", "token")).await;
    world.create(world.job("no-key").window(ago(8), ago(7)).secret("keyless", "token")).await;
    world.create(world.job("no-such-key").window(ago(10), ago(9)).secret("konnect-token", "other")).await;
    world.create(JobBuilder::organization("no-region", "xx")).await;
    world.create(world.job("no-window").window(ago(200), ago(199))).await;
    for (name, words) in [
        ("no-secret", "Secret \"nowhere\" does not exist"),
        ("no-key", "Secret \"keyless\" has no key \"token\""),
        ("no-such-key", "Secret \"konnect-token\" has no key \"other\""),
        ("no-region", "Region \"xx\" is not among those"),
        ("no-window", "has deleted all events of this window"),
    ] {
        world.wait(name, words, |job| world_says(job, words)).await;
        assert!(!world.reasons(name).contains(&"Queued".to_owned()), "{name}: {:?}", world.reasons(name));
    }
    world.wait_for_reason("behind", "Queued").await;
    assert_eq!(ready_reason(&world.get("running").await), "Accepted", "the lane was busy all the time");
    assert_eq!(world.puts(), 1);
}

fn world_says(job: &AuditLogReplayJob, words: &str) -> bool {
    crate::support::condition(job, &ConditionType::Ready).is_some_and(|ready| ready.message.contains(words))
}
