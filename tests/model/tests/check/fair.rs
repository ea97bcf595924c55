//! I3: from any state, a schedule without faults in which everybody gets a turn brings every job to its end. `eventually` of the
//! model checker does not do for this: it takes a cycle for no violation, and polling is a cycle.

use std::hash::{DefaultHasher, Hash, Hasher};

use konnect_replay_model::api::ConditionType;

use super::model::Model;
use super::process::WaitsFor;
use super::world::{Action, Role, World, is_true};

/// Rounds within which everything has ended. A round is a step of the clock.
const ROUNDS: usize = 60;
/// Calls in one pass; the driver ends one that goes in circles.
const EFFECTS: usize = 32;
/// Rounds in which nothing changes after the end.
const QUIET: usize = 2;

/// Whether the jobs of `world` end, for the share of worlds that is looked at.
pub fn ends(model: &Model, world: &World) -> bool {
    let mut hasher = DefaultHasher::new();
    // Ids of processes differ from run to run; what is looked at does not.
    (world.now, &world.konnect, &world.wire, &world.left, &world.truth).hash(&mut hasher);
    world.breach.is_some() || !hasher.finish().is_multiple_of(model.bounds.share) || run(model, world.clone())
}

fn run(model: &Model, mut world: World) -> bool {
    world.left.faults = 0;
    world.left.outsider = 0;
    world.left.failures = 0;
    world.processes.iter_mut().for_each(|actor| actor.stopped = false);
    for _ in 0..ROUNDS {
        round(model, &mut world);
        if world.breach.is_some() {
            // Another property's matter; it is found where it belongs.
            return true;
        }
        if finished(model, &world) {
            let end = world.objects.clone();
            (0..QUIET).for_each(|_| round(model, &mut world));
            return end == world.objects;
        }
    }
    false
}

fn finished(model: &Model, world: &World) -> bool {
    world.objects.iter().all(|version| is_true(&model.rules.statuses.get(version.status), &ConditionType::Finished))
}

/// Everything on its way arrives, Konnect goes on by one word, everybody who works makes a pass over each object, time passes.
fn round(model: &Model, world: &mut World) {
    if world.late.is_some() {
        world.happens(Action::LateWriteArrives, model);
    }
    if world.konnect.elsewhere {
        world.happens(Action::ElsewhereEnds, model);
    }
    deliver(model, world);
    for by in 0..world.processes.len() {
        stand_by(model, world, by);
        for of in 0..world.objects.len() {
            pass(model, world, by, of);
        }
    }
    let mut actions = Vec::new();
    world.actions(model, &mut actions);
    let going = |action: &&Action| matches!(action, Action::Becomes(_) | Action::Promoted);
    if let Some(action) = actions.iter().find(going) {
        world.happens(*action, model);
    }
    world.happens(Action::Tick, model);
}

fn deliver(model: &Model, world: &mut World) {
    while let Some(request) = world.wire.first() {
        let action = if request.answer.is_none() { Action::Arrives(0) } else { Action::Answered(0) };
        world.happens(action, model);
    }
}

/// Whoever died is followed by another.
fn stand_by(model: &Model, world: &mut World, by: usize) {
    if by == 1 && world.processes[1].role == Role::StandsBy && world.processes[0].role == Role::Dead {
        world.happens(Action::TakesOver, model);
    }
}

/// One pass to its end, begun on what stands in the cluster, unless one is under way.
fn pass(model: &Model, world: &mut World, by: usize, of: usize) {
    if world.processes[by].role != Role::Works {
        return;
    }
    let waits_for = |world: &World| {
        let process = model.processes.get(world.processes[by].process);
        process.kept[of].pass.as_ref().map(|pass| pass.waits_for)
    };
    if waits_for(world).is_none() {
        world.happens(Action::Begin { by, of, fresh: true }, model);
    }
    for _ in 0..EFFECTS {
        let Some(waits_for) = waits_for(world) else { return };
        match waits_for {
            WaitsFor::Reading => world.happens(Action::Read { by, of, stale: false }, model),
            WaitsFor::Write { .. } => world.happens(Action::Write { by, of }, model),
            WaitsFor::GoingOn => world.happens(Action::GoOn { by, of }, model),
            WaitsFor::Answer { .. } => deliver(model, world),
        }
    }
}
