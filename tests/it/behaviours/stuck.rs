//! A run that hangs in a state: the operator follows it and sends nothing else, until it moves on.

use konnect_emulator::{Emulator, Status};

use super::{ends, one_try, portal_id, row, world};
use crate::support::JobBuilder;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_hangs_is_followed_until_it_moves_on_and_stays_the_only_one() {
    let world = &world().await;
    let hangs = [
        ("hangs-accepted", Status::Accepted, "Accepted"),
        ("hangs-pending", Status::Pending, "RemotePending"),
        ("hangs-running", Status::Running, "Running"),
    ];
    let each = hangs.into_iter().enumerate().map(async |(number, (name, status, reason))| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        world.emulator.change_behaviour(&target, |behaviour| behaviour.stuck_in = vec![status.clone()]).unwrap();
        let job = world.create(one_try(JobBuilder::portal(name, "eu", &portal))).await;
        let lost = world.lose(&target, &job, 2);
        world.wait_for_reason(name, reason).await;
        let looks = |emulator: &Emulator| {
            emulator.calls().iter().filter(|call| call.method == "GET" && call.path.contains(&portal)).count()
        };
        let before = looks(&world.emulator);
        world.at_konnect("more looks", |emulator| (looks(emulator) >= before + 8).then_some(())).await;
        let runs = world.emulator.runs(&target).unwrap();
        assert_eq!((runs.len(), &runs[0].status), (1, &status), "{name}: {runs:#?}");
        world.emulator.change_behaviour(&target, |behaviour| behaviour.stuck_in.clear()).unwrap();
        ends(world, &target, &row(name, |_| {}), &lost).await;
    });
    futures::future::join_all(each).await;
}
