//! SIGSTOP between the record and the request: the process that wakes up late must not send.

use control_plane::proxy::{Fault, Point};

use super::steps::Step;
use crate::support::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_stopped_between_its_record_and_its_request_does_not_send_when_it_wakes_up() {
    let world = World::builder().through_proxy().without_operator().build().await;
    let mut first = world.start_replica();
    first.wait_for_log("that it leads", |line| line["message"] == "leading").await;
    let second = world.start_replica();
    let held = world.proxy().fault(Step::Intent.calls().times(1), Fault::Hold(Point::After));
    world.create(world.job("survivor")).await;
    world.proxy().wait_hits(held, 1, PATIENCE).await.unwrap();
    let recorded =
        world.wait("survivor", "recorded", |job| job.status.as_ref().is_some_and(|s| s.submission.is_some()));
    let recorded = recorded.await.status.unwrap().submission.unwrap().id;

    // The answer to its write waits for it in its socket while it is stopped.
    first.pause();
    world.proxy().release(held);
    second.wait_for_log("that it leads", |line| line["message"] == "leading").await;
    world.wait_until_complete("survivor").await;
    assert_eq!(world.puts(), 1, "the second one sends");
    first.signal("CONT");

    assert_eq!(first.exit().await.code(), Some(1), "{}", first.log().join("\n"));
    world.ends_as_if_undisturbed("survivor").await;
    assert_eq!(world.puts(), 1, "the first one has not");
    let of = |operator: &crate::support::Operator, text: &str| operator.log().iter().any(|line| line.contains(text));
    assert!(!of(&first, "Konnect took the request") && of(&second, "Konnect took the request"));
    let recorded_by_first = world
        .history
        .of("survivor")
        .into_iter()
        .any(|job| job.status.and_then(|s| s.submission).is_some_and(|submission| submission.id == recorded));
    assert!(recorded_by_first);
}
