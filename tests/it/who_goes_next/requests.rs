//! A portal where only the request fails: its GET works, so nothing but the PUT itself tells.

use konnect_emulator::{Action, Fault, PathKind, Q2};

use super::{aged, is_finished, is_sent, portal_id};
use crate::support::{JobBuilder, PORTAL, World};

const OTHERS: usize = 4;

fn name(number: usize) -> String {
    format!("behind-{number}")
}

/// The portal of each PUT so far, in order: whether it is the broken one, and what was answered.
fn requests(world: &World) -> Vec<(bool, Option<u16>)> {
    let puts = world.emulator.calls().into_iter().filter(|call| call.method == "PUT");
    puts.map(|call| (call.path.contains(PORTAL), call.status)).collect()
}

/// One portal of five answers every PUT so, and takes nothing. Its job is the first of the lane.
async fn the_other_four_are_sent(answer: Action) {
    let portals = |options: &mut konnect_emulator::Options| options.q2 = Q2::Portal;
    let world = World::builder().flag("--backoff-base=1s").emulator(portals).without_operator().build().await;
    world.emulator.add_fault(Fault::new(answer).method("PUT").path(PathKind::ReplayJob).portal(PORTAL));
    world.create(aged(world.job("broken"), 90)).await;
    let mut lost = Vec::new();
    for number in 0..OTHERS {
        let portal = world.add_portal("eu", &portal_id(number));
        // The same outage made all of them: one window.
        let job = aged(JobBuilder::portal(&name(number), "eu", &portal_id(number)), 5);
        lost.extend(world.lose(&portal, &world.create(job).await, 1));
    }
    let operator = world.start_operator(&[]).await;

    for number in 0..OTHERS {
        is_sent(&world, &name(number)).await;
    }

    let requests = requests(&world);
    assert!(requests[0].0, "the broken portal was first: {requests:?}");
    let end = requests.iter().rposition(|(broken, status)| !broken && *status == Some(202)).unwrap();
    let again = requests[..end].windows(2).any(|pair| pair[0].0 && pair[1].0);
    assert!(!again, "after a request that failed another portal goes first: {requests:?}");
    assert_eq!(requests.iter().filter(|(broken, _)| !broken).count(), OTHERS, "each was sent once: {requests:?}");
    assert!(!is_finished(&world.get("broken").await));
    drop(operator);

    world.emulator.clear_faults();
    let _next = world.start_operator(&[]).await;
    is_sent(&world, "broken").await;
    assert_eq!(world.runs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_whose_requests_bring_503_and_no_run_lets_the_others_of_its_lane_go() {
    the_other_four_are_sent(Action::status(503)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_answers_409_although_it_shows_no_run_lets_the_others_of_its_lane_go() {
    the_other_four_are_sent(Action::status(409)).await;
}

/// The spacing of requests to it grows, also while no other job is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portal_that_refuses_every_request_is_asked_less_and_less() {
    let world = World::new().await;
    let refused = Fault::new(Action::status(409)).method("PUT").path(PathKind::ReplayJob);
    world.emulator.add_fault(refused);
    world.create(world.job("refused")).await;
    let sent = world
        .at_konnect("six requests", |_| {
            let sent: Vec<_> = world.calls("PUT").into_iter().map(|call| call.at).collect();
            (sent.len() >= 6).then_some(sent)
        })
        .await;
    let gaps: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).num_milliseconds()).collect();
    // From the retry interval of the tests, 500 ms: 0.5 s, 1 s, 2 s, 4 s, 8 s.
    for (number, gap) in gaps.iter().enumerate() {
        let least = 450 << number;
        assert!(*gap >= least, "request {} after {gap} ms, not {least}: {gaps:?}", number + 2);
    }
    let status = world.get("refused").await.status.unwrap();
    assert!(status.conflicts >= 5, "{status:#?}");
}
