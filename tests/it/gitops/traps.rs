//! Where a one-shot in Git could become a replay that nobody asked for, and where one remains. docs/gitops.md names each.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Emit, Emulator, Outage, Status};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::support::{JobBuilder, World, condition, is_true, ready_reason};

const FLUX: &str = "kustomize-controller";
const ARGO_CD: &str = "argocd-controller";

fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0) - TimeDelta::hours(hours)
}

/// What both tools do with a manifest: server-side apply, taking over fields that others own.
async fn apply(world: &World, manager: &str, job: &JobBuilder) -> kube::Result<AuditLogReplayJob> {
    let job = job.clone().build();
    let name = job.metadata.name.clone().unwrap();
    world.jobs().patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(&job)).await
}

/// Waits for the end of exactly this object, and returns its reason.
async fn end_of(world: &World, job: &AuditLogReplayJob) -> String {
    let name = job.metadata.name.as_deref().unwrap();
    let this = |seen: &AuditLogReplayJob| seen.metadata.uid == job.metadata.uid;
    let over = world.wait(name, "over", |seen| this(seen) && is_true(seen, &ConditionType::Finished)).await;
    ready_reason(&over)
}

async fn apply_to_the_end(world: &World, manager: &str, job: &JobBuilder) -> String {
    let applied = apply(world, manager, job).await.unwrap();
    end_of(world, &applied).await
}

/// A window whose events the receiver took: only then is it known to have been replayed.
async fn replayed(world: &World, job: &JobBuilder) -> AuditLogReplayJob {
    // Lost before anybody replays them: a run that is quicker than this test would have nothing to deliver.
    world.lose(&world.portal, &job.clone().build(), 1);
    let applied = apply(world, FLUX, job).await.unwrap();
    assert_eq!(end_of(world, &applied).await, "Completed");
    applied
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruned_and_made_again_nothing_is_replayed() {
    let world = World::new().await;
    let job = world.job("pruned").window(ago(5), ago(4));
    replayed(&world, &job).await;
    for _ in 0..2 {
        world.delete("pruned").await;
        assert_eq!(apply_to_the_end(&world, FLUX, &job).await, "AlreadyReplayed");
    }
    assert_eq!(world.puts(), 1);
}

/// The trap that remains: Konnect remembers one window. Two objects that are both gone are both made again; the one that Konnect has
/// forgotten is replayed once more, and so is the other, which Konnect forgets by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_made_again_konnect_remembers_only_the_last() {
    let world = World::new().await;
    let (begin, end) = (ago(9), ago(8));
    let (first, second) = (world.job("first").window(begin, end), world.job("second").window(ago(5), ago(4)));
    replayed(&world, &first).await;
    replayed(&world, &second).await;

    // One object that is still there remembers its own window: so nothing is sent.
    world.delete("second").await;
    assert_eq!(apply_to_the_end(&world, FLUX, &second).await, "AlreadyReplayed");
    let copy = world.job("first-copy").window(begin, end);
    assert_eq!(apply_to_the_end(&world, FLUX, &copy).await, "AlreadyReplayed");
    assert_eq!(world.puts(), 2);

    for name in ["first", "first-copy", "second"] {
        world.delete(name).await;
    }
    assert_eq!(apply_to_the_end(&world, FLUX, &first).await, "Completed", "nobody is left who knows");
    assert_eq!(world.puts(), 3);

    // The way around it, for a cluster that is built anew: made again suspended, they do nothing.
    world.delete("first").await;
    apply(&world, FLUX, &first.suspended()).await.unwrap();
    world.wait_now("first", "Suspended", |job| ready_reason(job) == "Suspended").await;
    assert_eq!(world.puts(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_by_its_time_to_live_and_made_again_by_git_nothing_is_replayed_while_konnect_remembers() {
    let world = World::new().await;
    let job = world.job("circular").window(ago(5), ago(4)).spec(|spec| spec.ttl_seconds_after_finished = Some(60));
    let mut object = replayed(&world, &job).await;
    for _ in 0..2 {
        let long_ago = json!({ "status": { "completionTime": Utc::now() - TimeDelta::minutes(10) } });
        world.jobs().patch_status("circular", &PatchParams::default(), &Patch::Merge(long_ago)).await.unwrap();
        while world.jobs().get_opt("circular").await.unwrap().is_some_and(|now| now.metadata.uid == object.metadata.uid)
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        object = apply(&world, ARGO_CD, &job).await.unwrap();
        assert_eq!(end_of(&world, &object).await, "AlreadyReplayed");
    }
    assert_eq!(world.puts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_window_or_target_is_refused_and_the_running_object_is_not_touched() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.job("edited").window(ago(5), ago(4));
    apply(&world, FLUX, &job).await.unwrap();
    let before = world.wait_for_reason("edited", "Accepted").await;

    let elsewhere = job.clone().spec(|spec| spec.target.region = "us".to_owned());
    for (field, edited) in [("window", job.window(ago(6), ago(4))), ("target", elsewhere)] {
        let refused = apply(&world, FLUX, &edited).await.unwrap_err().to_string();
        let said = format!("{field} cannot be changed");
        assert!(refused.contains(&said) && refused.contains("create another"), "{refused}");
    }
    assert_eq!(world.get("edited").await.spec, before.spec);
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("edited").await;
    assert_eq!(world.puts(), 1);
}

/// Flux with `force: true` (Argo CD with `Replace=true,Force=true`) deletes what it may not change, and makes it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_edit_begins_another_replay_and_overwrites_no_run() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let job = world.job("forced").window(ago(5), ago(4));
    apply(&world, FLUX, &job).await.unwrap();
    world.wait_for_reason("forced", "Accepted").await;

    world.delete("forced").await;
    let forced = apply(&world, FLUX, &job.window(ago(6), ago(4))).await.unwrap();
    let of_it = |seen: &AuditLogReplayJob| seen.metadata.uid == forced.metadata.uid;
    world.wait("forced", "blocked", |seen| of_it(seen) && ready_reason(seen) == "BlockedByRemoteJob").await;
    assert_eq!(world.puts(), 1, "the run of the deleted object goes on");
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();

    assert_eq!(end_of(&world, &forced).await, "Completed");
    let runs = world.runs();
    assert!(runs.len() == 2 && runs.iter().all(|run| run.replaced_by.is_none()), "{runs:#?}");
}

/// A hook is deleted and made again at each sync, also while its run is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_is_made_anew_at_each_sync_is_sent_once() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let hook = world.job("hook").window(ago(5), ago(4));
    let first = apply(&world, ARGO_CD, &hook).await.unwrap();
    world.lose(&world.portal, &first, 1);
    world.wait_for_reason("hook", "Accepted").await;
    world.delete("hook").await;
    let second = apply(&world, ARGO_CD, &hook).await.unwrap();
    let of_it = |seen: &AuditLogReplayJob| seen.metadata.uid == second.metadata.uid;
    world.wait("hook", "adopted", |seen| of_it(seen) && ready_reason(seen) == "Adopted").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    end_of(&world, &second).await;
    for _ in 0..2 {
        world.delete("hook").await;
        assert_eq!(apply_to_the_end(&world, ARGO_CD, &hook).await, "AlreadyReplayed");
    }
    assert_eq!(world.puts(), 1);
}

/// A backup has the status too, but the API server takes none from whoever creates an object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_without_its_status_an_object_begins_anew_and_replays_nothing_that_konnect_remembers() {
    let world = World::new().await;
    replayed(&world, &world.job("restored").window(ago(5), ago(4))).await;
    let mut backup = world.get("restored").await;
    assert!(backup.status.as_ref().unwrap().completion_time.is_some());
    world.delete("restored").await;
    (backup.metadata.resource_version, backup.metadata.uid) = (None, None);

    let restored = world.jobs().create(&kube::api::PostParams::default(), &backup).await.unwrap();

    assert_eq!(restored.status.as_ref().unwrap().observed_generation, -1);
    assert_eq!(end_of(&world, &restored).await, "AlreadyReplayed");
    assert_eq!(world.puts(), 1);

    // With its status restored before the operator comes to it, it is what it was.
    world.jobs().delete("restored", &DeleteParams::default()).await.unwrap();
    let finished = backup.status.clone();
    let mut suspended = backup.clone();
    suspended.spec.suspend = true;
    let again = world.jobs().create(&kube::api::PostParams::default(), &suspended).await.unwrap();
    let this = |seen: &AuditLogReplayJob| seen.metadata.uid == again.metadata.uid;
    world.wait("restored", "held", |seen| this(seen) && ready_reason(seen) == "Suspended").await;
    let status = Patch::Merge(json!({ "status": finished }));
    world.jobs().patch_status("restored", &PatchParams::default(), &status).await.unwrap();
    world.suspend("restored", false).await;
    let observed = |seen: &AuditLogReplayJob| this(seen) && seen.status.as_ref().unwrap().observed_generation == 2;
    let kept = world.wait_now("restored", "observed", observed).await;
    assert!(is_true(&kept, &ConditionType::Complete));
    assert_eq!(world.puts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_manifest_applied_to_a_new_cluster_fails_at_once_and_says_that_nothing_was_lost() {
    let world = World::new().await;
    let old = apply(&world, FLUX, &world.job("old").window(ago(24 * 30), ago(24 * 30 - 2))).await.unwrap();
    assert_eq!(end_of(&world, &old).await, "WindowExpired");
    let message = condition(&world.get("old").await, &ConditionType::Failed).unwrap().message.clone();
    assert!(message.contains("before this object was made, so nothing was lost by waiting"), "{message}");
    let told = crate::events::wait_for(&world, "old", "WindowExpired").await;
    assert!(told.iter().all(|event| event.type_.as_deref() == Some("Normal")), "{told:#?}");
    assert_eq!(world.puts(), 0, "Konnect's clock is asked, and nothing is sent");
}

/// kustomize's `secretGenerator` makes a Secret of another name for each token, and the old one is pruned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_comes_under_another_name_is_used_by_who_waits_and_by_who_runs() {
    let world = World::new().await;
    let token = crate::support::TOKEN.as_bytes();
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create_token("konnect-token-abc", "token", token).await;
    let running = world.job("running").window(ago(5), ago(4)).secret("konnect-token-abc", "token");
    let waiting = world.job("waiting").window(ago(9), ago(8)).secret("konnect-token-abc", "token");
    apply(&world, FLUX, &running).await.unwrap();
    world.wait_for_reason("running", "Accepted").await;
    apply(&world, FLUX, &waiting).await.unwrap();
    world.wait_for_reason("waiting", "Queued").await;

    world.create_token("konnect-token-def", "token", token).await;
    apply(&world, FLUX, &running.secret("konnect-token-def", "token")).await.unwrap();
    apply(&world, FLUX, &waiting.secret("konnect-token-def", "token")).await.unwrap();
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(world.client.clone(), &world.namespace);
    secrets.delete("konnect-token-abc", &DeleteParams::default()).await.unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();

    world.wait_until_complete("running").await;
    world.wait_until_complete("waiting").await;
    assert_eq!(world.puts(), 2);
}

/// Konnect remembers one window for each target, and whose it was is nothing to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_again_after_somebody_replayed_another_window_it_is_replayed_again() {
    let world = World::new().await;
    let job = world.job("forgotten").window(ago(5), ago(4));
    replayed(&world, &job).await;
    world.foreign_run(&world.portal);
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();

    world.delete("forgotten").await;
    assert_eq!(apply_to_the_end(&world, FLUX, &job).await, "Completed");
    assert_eq!(world.puts(), 2);
}

/// Where the receiver did not take what Konnect sent last, nobody knows what it took before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_again_after_the_receiver_refused_an_event_it_is_replayed_again() {
    let world = World::new().await;
    let job = world.job("doubtful").window(ago(5), ago(4));
    replayed(&world, &job).await;
    world.receiver.set_outage(Outage::Answer(503));
    world.emulator.emit(&world.portal, Emit::now(1)).unwrap();
    let refused = |konnect: &Emulator| konnect.deliveries().iter().any(|d| d.response_code == Some(503)).then_some(());
    world.at_konnect("a delivery that the receiver refused", refused).await;
    world.receiver.set_outage(None);

    world.delete("doubtful").await;
    assert_eq!(apply_to_the_end(&world, FLUX, &job).await, "Completed");
    assert_eq!(world.puts(), 2);
}

/// The example has no `suspend`, and Argo CD leaves fields alone that it is told to ignore: what it applies does not name the field.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_action_suspends_stays_suspended_when_a_manifest_without_the_field_is_applied_again() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let mut manifest = serde_json::to_value(world.job("held").window(ago(5), ago(4)).build()).unwrap();
    manifest["spec"].as_object_mut().unwrap().remove("suspend");
    let sync = async || {
        let patch = Patch::Apply(&manifest);
        world.jobs().patch("held", &PatchParams::apply(ARGO_CD).force(), &patch).await.unwrap()
    };
    assert!(!sync().await.spec.suspend);
    world.suspend("held", true).await;
    assert!(sync().await.spec.suspend, "selfHeal");
}
