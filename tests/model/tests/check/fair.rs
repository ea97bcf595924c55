//! I3: from any state, a schedule without faults in which everybody gets a turn brings every job to its end. `eventually` of the
//! model checker does not do for this: it takes a cycle for no violation, and polling is a cycle.

use konnect_replay_model::api::ConditionType;

use super::actions::Action;
use super::judge::is_true;
use super::model::{MOST_WRITES, Model};
use super::process::WaitsFor;
use super::world::{Role, World};

/// Rounds within which everything has ended. A round is a step of the clock.
const ROUNDS: usize = 60;
/// Calls in one pass; the driver ends one that goes in circles.
const EFFECTS: usize = 32;
/// Rounds in which nothing changes after the end.
const QUIET: usize = 2;

/// Whether the jobs of `world` end, where that is asked.
pub fn ends(model: &Model, world: &World) -> bool {
    let is_asked = model.bounds.must_end && world.breach.is_none();
    !is_asked || Schedule::new(model, world.clone()).run()
}

/// What happens in the schedule that begins at `world`, line by line.
pub fn told(model: &Model, world: &World) -> String {
    let mut schedule = Schedule { lines: Some(Vec::new()), ..Schedule::new(model, world.clone()) };
    schedule.run();
    schedule.lines.unwrap_or_default().join("\n")
}

/// A schedule without faults.
struct Schedule<'a> {
    model: &'a Model,
    world: World,
    /// What has happened, where somebody wants to know.
    lines: Option<Vec<String>>,
}

impl<'a> Schedule<'a> {
    fn new(model: &'a Model, mut world: World) -> Self {
        world.left.faults = 0;
        world.left.outsider = 0;
        world.left.failures = 0;
        world.processes.iter_mut().for_each(|actor| actor.stopped = false);
        Self { model, world, lines: None }
    }

    fn run(&mut self) -> bool {
        let most = |world: &World| world.objects.iter().map(|version| version.number).max().unwrap_or_default();
        let bound = most(&self.world) + MOST_WRITES;
        for _ in 0..ROUNDS {
            self.round();
            if self.world.breach.is_some() {
                // Another property's matter; it is found where it belongs.
                return true;
            }
            if most(&self.world) > bound {
                return false;
            }
            if self.finished() {
                let end = self.world.objects.clone();
                (0..QUIET).for_each(|_| self.round());
                return end == self.world.objects;
            }
        }
        false
    }

    fn finished(&self) -> bool {
        let statuses = &self.model.rules.statuses;
        self.world.objects.iter().all(|version| is_true(&statuses.get(version.status), &ConditionType::Finished))
    }

    fn happens(&mut self, action: Action) {
        if let Some(lines) = &mut self.lines {
            lines.extend(super::trace::line(self.model, &self.world, action));
        }
        self.world.happens(action, self.model);
    }

    /// Everything on its way arrives, Konnect goes on by one word, everybody who works makes a pass over each object, time passes.
    fn round(&mut self) {
        if self.world.late.is_some() {
            self.happens(Action::LateWriteArrives);
        }
        if self.world.konnect.elsewhere {
            self.happens(Action::ElsewhereEnds);
        }
        self.deliver();
        for by in 0..self.world.processes.len() {
            self.stand_by(by);
            for of in 0..self.world.objects.len() {
                self.pass(by, of);
            }
        }
        let mut actions = Vec::new();
        self.world.actions(self.model, &mut actions);
        let going = |action: &&Action| matches!(action, Action::Becomes(_) | Action::Promoted);
        if let Some(action) = actions.iter().find(going) {
            self.happens(*action);
        }
        self.happens(Action::Tick);
    }

    fn deliver(&mut self) {
        while let Some(request) = self.world.wire.first() {
            self.happens(if request.answer.is_none() { Action::Arrives(0) } else { Action::Answered(0) });
        }
    }

    /// Whoever died is followed by another.
    fn stand_by(&mut self, by: usize) {
        let processes = &self.world.processes;
        if by == 1 && processes[1].role == Role::StandsBy && processes[0].role == Role::Dead {
            self.happens(Action::TakesOver);
        }
    }

    /// One pass to its end, begun on what stands in the cluster, unless one is under way.
    fn pass(&mut self, by: usize, of: usize) {
        if self.world.processes[by].role != Role::Works {
            return;
        }
        if self.waits_for(by, of).is_none() {
            self.happens(Action::Begin { by, of, fresh: true });
        }
        for _ in 0..EFFECTS {
            let Some(waits_for) = self.waits_for(by, of) else { return };
            match waits_for {
                WaitsFor::Reading => self.happens(Action::Read { by, of, stale: false }),
                WaitsFor::Write { .. } => self.happens(Action::Write { by, of }),
                WaitsFor::GoingOn => self.happens(Action::GoOn { by, of }),
                WaitsFor::Answer { .. } => self.deliver(),
            }
        }
    }

    fn waits_for(&self, by: usize, of: usize) -> Option<WaitsFor> {
        let process = self.model.processes.get(self.world.processes[by].process);
        process.kept[of].pass.as_ref().map(|pass| pass.waits_for)
    }
}
