//! `again`: a new job for an old window.

use konnect_replay_core::api::DuplicatePolicy;

use super::Plugin;
use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_completed_is_sent_again_under_a_name_that_is_free() {
    let world = World::new().await;
    world.create(world.job("outage")).await;
    let first = world.wait_until_complete("outage").await;
    let plugin = Plugin::of(&world);

    for (of, name) in [("outage", "outage-again"), ("outage-again", "outage-again-2"), ("outage", "outage-again-3")] {
        let out = plugin.done(&["again", of, "--wait"]).await;
        assert!(out.contains(&format!("{name} created")), "{out}");
        let job = world.get(name).await;
        assert_eq!(job.spec.window, first.spec.window);
        assert_eq!(job.spec.duplicate_policy, DuplicatePolicy::Replay, "it completed: to ask again is to mean it");
    }
    assert_eq!(world.runs().len(), 4);

    let printed = plugin.done(&["again", "outage", "-o", "yaml"]).await;
    assert!(printed.contains("name: outage-again-4") && printed.contains("duplicatePolicy: Replay"), "{printed}");
    plugin.done(&["again", "outage", "--new-name", "mine", "--duplicate-policy", "Skip", "--wait"]).await;
    assert_eq!(world.wait_until_complete("mine").await.spec.duplicate_policy, DuplicatePolicy::Skip);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_tried_again_without_sending_what_arrived_meanwhile() {
    let world = World::new().await;
    world.emulator.fail_next(&world.portal, 1).unwrap();
    world.create(world.job("outage").spec(|spec| spec.backoff_limit = 0)).await;
    world.wait_until_failed("outage").await;
    Plugin::of(&world).done(&["again", "outage", "--wait"]).await;
    assert_eq!(world.get("outage-again").await.spec.duplicate_policy, DuplicatePolicy::Skip);
    assert_eq!(world.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_finished_is_not_doubled() {
    let world = World::new().await;
    world.create(world.job("outage").suspended()).await;
    world.wait_for_reason("outage", "Suspended").await;
    let ran = Plugin::of(&world).run(&["again", "outage"]).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("outage has not finished (Suspended), so its window is still to be sent"), "{ran:#?}");

    let ran = Plugin::of(&world).run(&["again", "nobody"]).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.err.contains("AuditLogReplayJob \"nobody\" not found"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_konnect_has_deleted_is_refused_at_once() {
    let world = World::new().await;
    let now = chrono::Utc::now();
    let start = now - chrono::TimeDelta::hours(170);
    world.create(world.job("old").window(start, now - chrono::TimeDelta::hours(90))).await;
    world.wait_until_failed("old").await;
    let plugin = Plugin::of(&world);
    let ran = plugin.run(&["again", "old"]).await;
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("add --expiry-policy Clamp"), "{ran:#?}");
    plugin.done(&["again", "old", "--expiry-policy", "Clamp", "--wait"]).await;
    assert!(world.get("old-again").await.status.unwrap().window.unwrap().clamped);
}
