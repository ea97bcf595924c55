//! Watches that break, expire, fall silent or never begin. In these worlds a watch lasts 6 s and is given up after 11
//! (`--request-timeout=3s`); without a bound of our own, `kube`'s is 295 s, far beyond what these tests wait.

use std::time::Duration;

use control_plane::proxy::{Calls, Fault, Point, Verb};

use crate::support::{PATIENCE, World};

fn jobs() -> Calls {
    Calls::any().resource("auditlogreplayjobs")
}

fn watches() -> Calls {
    jobs().verb(Verb::Watch)
}

async fn has_a_watch(world: &World) {
    let waiting = async {
        while world.proxy().open_watches(&watches()) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

async fn proxied() -> World {
    let world = World::builder().through_proxy().build().await;
    has_a_watch(&world).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_cut_is_taken_up_where_it_was() {
    let world = proxied().await;
    assert_eq!(world.proxy().cut_watches(&watches()), 1);
    world.create(world.job("survivor")).await;
    world.wait_for_reason("survivor", "Accepted").await;
    has_a_watch(&world).await;
    world.proxy().cut_watches(&watches());
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_too_old_begins_anew_with_a_list() {
    let world = proxied().await;
    let lists = || world.proxy().calls().iter().filter(|call| call.verb == Verb::List).count();
    let before = lists();
    let refused = world.proxy().fault(watches().times(2), Fault::Answer(410));
    assert_eq!(world.proxy().expire_watches(&watches()), 1);
    world.create(world.job("survivor")).await;
    world.proxy().wait_hits(refused, 1, PATIENCE).await.unwrap();
    world.ends_as_if_undisturbed("survivor").await;
    assert!(lists() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_while_the_watch_was_away_is_forgotten() {
    let world = proxied().await;
    world.create(world.job("gone").suspended()).await;
    world.wait_for_reason("gone", "Suspended").await;
    has_a_watch(&world).await;
    let away = world.proxy().fault(watches(), Fault::Answer(410));
    world.proxy().expire_watches(&watches());
    world.proxy().wait_hits(away, 1, PATIENCE).await.unwrap();
    world.delete("gone").await;
    world.create(world.job("survivor")).await;
    world.proxy().release(away);
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_in_mid_run_while_the_watch_was_away_gives_its_place_up() {
    let world = proxied().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    world.create(world.job("gone")).await;
    world.wait_for_reason("gone", "Accepted").await;
    let start = chrono::Utc::now() - chrono::TimeDelta::hours(50);
    world.create(world.job("next").window(start, start + chrono::TimeDelta::hours(1))).await;
    world.wait_for_reason("next", "Queued").await;
    let away = world.proxy().fault(watches(), Fault::Answer(410));
    world.proxy().expire_watches(&watches());
    world.proxy().wait_hits(away, 1, PATIENCE).await.unwrap();
    world.delete("gone").await;
    world.proxy().release(away);

    world.wait_for_reason("next", "BlockedByRemoteJob").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("next").await;
    assert_eq!(world.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_on_a_connection_that_died_without_a_word_is_given_up() {
    let world = proxied().await;
    assert_eq!(world.proxy().silence_watches(&watches()), 1);
    world.create(world.job("survivor")).await;
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_or_its_list_that_is_never_answered_is_asked_for_again() {
    let world = proxied().await;
    let never_list = world.proxy().fault(jobs().verb(Verb::List).times(1), Fault::Hold(Point::Before));
    let never_watch = world.proxy().fault(watches().times(1), Fault::Hold(Point::Before));
    world.proxy().expire_watches(&watches());
    world.create(world.job("survivor")).await;
    for held in [never_list, never_watch] {
        world.proxy().wait_hits(held, 1, PATIENCE).await.unwrap();
    }
    world.ends_as_if_undisturbed("survivor").await;
}
