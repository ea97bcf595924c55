//! kill -9 at every call to Kubernetes, before and after its effect, and another process that goes on.

use std::fmt;

use control_plane::proxy::{Fault, FaultId, Point};
use futures::future::join_all;
use konnect_emulator::Status;
use tokio::sync::Semaphore;

use super::steps::Step;
use crate::support::{Operator, PATIENCE, World};

/// Lives at once: each mostly waits, but has processes of its own.
static LIVES: Semaphore = Semaphore::const_new(14);

/// What becomes of the call that the killed process was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// It was on its way already, and takes effect after the kill.
    Arrives,
    /// It had its effect before the kill.
    Arrived,
    /// It is lost with the process.
    IsLost,
}

/// A place to be killed at.
#[derive(Clone, Copy, Debug)]
struct Place {
    step: Step,
    wire: Wire,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, the call {:?}", self.step, self.wire)
    }
}

/// Every call, before and after its effect; before it, a write both ways on the wire.
fn places() -> Vec<Place> {
    let of = |step| {
        let wires: &[Wire] = if Step::WRITES.contains(&step) {
            &[Wire::Arrives, Wire::Arrived, Wire::IsLost]
        } else {
            &[Wire::IsLost, Wire::Arrived]
        };
        wires.iter().map(move |wire| Place { step, wire: *wire })
    };
    Step::ALL.into_iter().flat_map(of).collect()
}

/// Brings a job to the place and kills the operator there. A run at Konnect goes on afterwards.
async fn killed_at(world: &World, operator: &Operator, place: Place) {
    world.emulator.set_manual(&world.portal, true).unwrap();
    let held = if place.step.is_following() {
        world.create(world.job("survivor")).await;
        world.wait_for_reason("survivor", "Accepted").await;
        let held = hold_at(world, place);
        goes_on_until(world, place.step);
        held
    } else {
        let held = hold_at(world, place);
        world.create(world.job("survivor")).await;
        held
    };
    let reached = world.proxy().wait_hits(held, 1, PATIENCE).await;
    reached.unwrap_or_else(|error| panic!("{place}: {error}; states {:#?}", world.states("survivor")));
    if place.wire == Wire::Arrived {
        has_its_effect(world, place).await;
    }
    operator.signal("KILL");
    match place.wire {
        Wire::Arrives | Wire::Arrived => world.proxy().release(held),
        Wire::IsLost => world.proxy().cut_held(held),
    }
    world.emulator.set_manual(&world.portal, false).unwrap();
}

/// Konnect moves on by as much as makes the operator take this step.
fn goes_on_until(world: &World, step: Step) {
    match step {
        Step::Mirror => world.emulator.advance(&world.portal, Status::Pending).unwrap(),
        Step::End => world.emulator.set_manual(&world.portal, false).unwrap(),
        Step::FirstVisit | Step::Token | Step::Intent | Step::Acceptance | Step::TokenAgain => {}
    }
}

fn hold_at(world: &World, place: Place) -> FaultId {
    let point = if place.wire == Wire::Arrived { Point::After } else { Point::Before };
    world.proxy().fault(place.step.calls().namespace(&world.namespace).times(1), Fault::Hold(point))
}

/// The proxy counts a call when it comes; its effect is seen in the object.
async fn has_its_effect(world: &World, place: Place) {
    let fits = |status: &konnect_replay_core::api::AuditLogReplayJobStatus| match place.step {
        Step::FirstVisit => status.observed_generation == 1,
        Step::Intent => status.submission.is_some(),
        Step::Acceptance => status.start_time.is_some(),
        Step::Mirror => status.konnect.as_ref().is_some_and(|k| ["pending", "running"].contains(&k.status.as_str())),
        Step::End => status.completion_time.is_some(),
        Step::Token | Step::TokenAgain => true,
    };
    world.wait("survivor", "written", |job| job.status.as_ref().is_some_and(fits)).await;
}

async fn restarted(place: Place) {
    let _turn = LIVES.acquire().await.unwrap();
    let mut world = World::builder().through_proxy().build().await;
    let operator = world.operator.take().unwrap();
    killed_at(&world, &operator, place).await;
    drop(operator);
    let _next = world.start_operator(&[]).await;
    world.ends_as_if_undisturbed("survivor").await;
}

async fn taken_over(place: Place) {
    let _turn = LIVES.acquire().await.unwrap();
    let world = World::builder().through_proxy().without_operator().build().await;
    let first = world.start_replica();
    first.wait_for_log("that it leads", |line| line["message"] == "leading").await;
    let _second = world.start_replica();
    killed_at(&world, &first, place).await;
    world.ends_as_if_undisturbed("survivor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_call_to_kubernetes_and_restarted_it_runs_once() {
    let places = places();
    println!("{} places:", places.len());
    for place in &places {
        println!("  {place}");
    }
    join_all(places.into_iter().map(restarted)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_call_to_kubernetes_with_a_second_replica_standing_by_it_runs_once() {
    join_all(places().into_iter().map(taken_over)).await;
}
