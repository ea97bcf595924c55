//! kill -9 at every point between two effects, and another process that goes on: one run at Konnect, and Complete.

use std::time::Duration;

use futures::future::join_all;
use konnect_emulator::{Hold, PathKind};

use crate::support::{Operator, PATIENCE, World};

/// Time in each state: enough to stop the operator while a run is under way, on a busy machine too.
const PACE: Duration = Duration::from_secs(2);

/// When, in the life of a job, a call is stopped at.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// From the first question to the request.
    Sending,
    /// After Konnect accepted it.
    Following,
}

/// What becomes of the call that the killed process was in.
#[derive(Clone, Copy, Debug)]
enum Wire {
    /// It was on its way already, and takes effect.
    Arrives,
    /// It is lost with the process.
    IsLost,
}

/// A place to be killed at.
#[derive(Clone, Debug)]
struct Point {
    phase: Phase,
    hold: Hold,
    wire: Wire,
}

/// Every call that an undisturbed life makes, before and after its effect; a request also both ways on the wire.
fn points() -> Vec<Point> {
    let calls = [
        (Phase::Sending, "GET", PathKind::Webhook),
        (Phase::Sending, "GET", PathKind::WebhookStatus),
        (Phase::Sending, "GET", PathKind::ReplayJob),
        (Phase::Sending, "PUT", PathKind::ReplayJob),
        (Phase::Following, "GET", PathKind::ReplayJob),
        (Phase::Following, "GET", PathKind::Webhook),
        (Phase::Following, "GET", PathKind::WebhookStatus),
    ];
    let both = |(phase, method, path): (Phase, &str, PathKind)| {
        let at = |hold: Hold, wire| Point { phase, hold: hold.method(method).path(path).times(1), wire };
        let mut points = vec![at(Hold::before(), Wire::Arrives), at(Hold::after(), Wire::Arrives)];
        if method == "PUT" {
            points.push(at(Hold::before(), Wire::IsLost));
        }
        points
    };
    calls.into_iter().flat_map(both).collect()
}

/// Brings a job to the point and kills the operator there.
async fn killed_at(world: &World, operator: &Operator, point: &Point) {
    let hold = match point.phase {
        Phase::Sending => {
            let hold = world.emulator.hold(point.hold.clone());
            world.create(world.job("survivor")).await;
            hold
        }
        Phase::Following => {
            world.create(world.job("survivor")).await;
            world.wait_for_reason("survivor", "Accepted").await;
            world.emulator.hold(point.hold.clone())
        }
    };
    world
        .emulator
        .wait_held(hold, PATIENCE)
        .await
        .unwrap_or_else(|error| panic!("{point:?} is never reached: {error}"));
    operator.signal("KILL");
    match point.wire {
        Wire::Arrives => world.emulator.release(hold).unwrap(),
        Wire::IsLost => world.emulator.cut_held(hold).unwrap(),
    }
}

async fn ends_well(world: &World, point: &Point) {
    world.wait_until_complete("survivor").await;
    assert_eq!(world.runs().len(), 1, "{point:?}: {:#?}", world.runs());
}

async fn restarted(point: Point) {
    let mut world = World::builder().pace(PACE).build().await;
    let job = world.job("survivor").build();
    let lost = world.lose(&world.portal, &job, 3);
    let operator = world.operator.take().unwrap();
    killed_at(&world, &operator, &point).await;
    let _next = world.start_operator(&[]).await;
    ends_well(&world, &point).await;
    world.received_once(&lost).await;
}

async fn taken_over(point: Point) {
    let world = World::builder().pace(PACE).without_operator().build().await;
    let first = world.start_replica();
    first.wait_for_log("that it leads", |line| line["message"] == "leading").await;
    let _second = world.start_replica();
    killed_at(&world, &first, &point).await;
    ends_well(&world, &point).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_and_restarted_the_events_arrive_once() {
    let points = points();
    println!("{} points:", points.len());
    for point in &points {
        println!("  {:?}, {}, the call {:?}", point.phase, point.hold, point.wire);
    }
    join_all(points.into_iter().map(restarted)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_with_a_second_replica_standing_by_it_runs_once() {
    join_all(points().into_iter().map(taken_over)).await;
}
