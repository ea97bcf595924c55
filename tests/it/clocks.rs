//! Konnect's clock ten minutes ahead of ours or behind it, which is ours behind or ahead: the emulator shifts its `Date`, its
//! `updated_at` and its limits, and the operator's clock stays. Both sides see only the difference.

use chrono::{TimeDelta, Utc};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType, ExpiryPolicy};

use crate::support::{JobBuilder, World, condition, window_of};

const MINUTES: i64 = 10;

/// What the operator sees of a job whose window is fixed, with Konnect's clock ahead by `ahead` minutes.
async fn world(ahead: i64) -> World {
    let world = World::new().await;
    world.emulator.set_clock_offset(TimeDelta::minutes(ahead));
    world
}

/// A window of an hour that began so long after the limit of retention, by the operator's clock.
fn after_the_limit(job: JobBuilder, minutes: i64) -> JobBuilder {
    let start = Utc::now() - TimeDelta::days(7) + TimeDelta::minutes(minutes);
    job.window(start, start + TimeDelta::hours(1))
}

async fn ends_well(world: &World, job: &AuditLogReplayJob, name: &str) {
    let lost = world.lose(&world.portal, job, 1);
    world.wait_until_complete(name).await;
    assert_eq!(world.runs().len(), 1, "{name}: {:#?}", world.runs());
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_window_is_sent_once_whichever_clock_is_ahead() {
    futures::future::join_all([MINUTES, -MINUTES].map(async |ahead| {
        let world = world(ahead).await;
        let job = world.create(world.job("ordinary")).await;
        ends_well(&world, &job, "ordinary").await;
        assert_eq!(world.puts(), 1);
    }))
    .await;
}

/// By our clock it has expired five minutes ago; Konnect has it still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_konnect_still_has_is_sent_although_our_clock_is_ahead() {
    let world = world(-MINUTES).await;
    let job = world.create(after_the_limit(world.job("still-there"), -5)).await;
    ends_well(&world, &job, "still-there").await;
}

/// By our clock it expires in five minutes; Konnect has deleted its beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_konnect_has_deleted_fails_although_our_clock_is_behind() {
    let world = world(MINUTES).await;
    world.create(after_the_limit(world.job("gone"), 5)).await;
    let failed = world.wait_until_failed("gone").await;
    assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "WindowExpired");
    assert!(world.runs().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_clamped_to_what_konnect_has_by_its_own_clock() {
    let world = world(MINUTES).await;
    let clamped = after_the_limit(world.job("clamped"), 5).spec(|spec| spec.expiry_policy = ExpiryPolicy::Clamp);
    let job = world.create(clamped).await;
    ends_well(&world, &job, "clamped").await;
    let run = world.runs().remove(0);
    let late = run.window.start_at - window_of(&job).start_at;
    assert!(late >= TimeDelta::minutes(5), "it begins {late} later than asked, which Konnect has deleted");
}

/// For Konnect the window ends in the future. It is sent when that is over there, and the object is not failed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_window_waits_for_konnects_clock() {
    let world = world(-MINUTES).await;
    let end = Utc::now() - TimeDelta::minutes(2);
    let job = world.create(world.job("fresh").window(end - TimeDelta::hours(1), end)).await;
    world.more_looks(1).await;
    let waiting = world.wait_for_reason("fresh", "WaitingForWindowEnd").await;
    assert!(condition(&waiting, &ConditionType::Failed).is_none() && world.runs().is_empty());
    world.emulator.set_clock_offset(TimeDelta::zero());
    world
        .patch(
            "fresh",
            serde_json::json!({ "metadata": { "annotations": { "konnect-replay.dev/requested-at": "now" } } }),
        )
        .await;
    ends_well(&world, &job, "fresh").await;
}
