//! A run that no object asked for, and that never ends, at one portal of a lane.

use konnect_emulator::{Q2, Status};

use super::{aged, is_sent, portal_id};
use crate::support::{JobBuilder, World, ready_reason};

const BEHIND: usize = 6;

fn name(number: usize) -> String {
    format!("behind-{number}")
}

/// Three jobs wait for the end of that run, and all of them come before the six jobs of other portals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_run_that_hangs_holds_up_its_portal_alone() {
    let portals = |options: &mut konnect_emulator::Options| options.q2 = Q2::Portal;
    let world = World::builder().emulator(portals).without_operator().build().await;
    let theirs = world.foreign_run(&world.portal);
    world.emulator.advance(&world.portal, Status::Running).unwrap();
    for (number, hours) in (0..).zip([110, 100, 90]) {
        world.create(aged(world.job(&format!("blocked-{number}")), hours)).await;
    }
    for (number, hours) in (0..BEHIND).zip(5..) {
        world.add_portal("eu", &portal_id(number));
        world.create(aged(JobBuilder::portal(&name(number), "eu", &portal_id(number)), hours)).await;
    }
    let _operator = world.start_operator(&[]).await;

    for number in 0..BEHIND {
        is_sent(&world, &name(number)).await;
    }

    world.wait_now("blocked-0", "that it is blocked", |job| ready_reason(job) == "BlockedByRemoteJob").await;
    assert_eq!((world.calls("PUT").len(), world.puts()), (0, BEHIND), "nothing was sent over the foreign run");
    // The order of the lane is kept among the jobs that could go: the longest ago is the last that was created.
    let starts: Vec<_> = futures::future::join_all(
        (0..BEHIND).rev().map(async |number| world.get(&name(number)).await.status.unwrap().start_time.unwrap()),
    )
    .await;
    assert!(starts.is_sorted(), "{starts:?}");

    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    world.emulator.set_manual(&world.portal, false).unwrap();
    for number in 0..3 {
        is_sent(&world, &format!("blocked-{number}")).await;
    }
    let runs = world.runs();
    assert_eq!((runs.len(), runs[0].window, &runs[0].status), (4, theirs, &Status::Completed), "{runs:#?}");
}
