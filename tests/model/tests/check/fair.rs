//! I3: from any state, a schedule without faults in which everybody gets a turn brings every job to its end. `eventually` of the
//! model checker does not do for this: it takes a cycle for no violation, and polling is a cycle.

use konnect_replay_core::api::ConditionType;

use super::actions::Action;
use super::judge::is_true;
use super::layout::Trouble;
use super::model::{MOST_WRITES, Model};
use super::process::WaitsFor;
use super::world::{Disorder, Role, World};

/// Rounds within which everything has ended. A round is a step of the clock.
const ROUNDS: usize = 60;
/// Calls in one pass; the driver ends one that goes in circles.
const EFFECTS: usize = 32;
/// Rounds in which nothing changes after the end.
const QUIET: usize = 2;

/// Whether the jobs of `world` that are not concerned by what is out of order end although it never ends.
pub fn others_end(model: &Model, world: &World) -> bool {
    let is_asked = model.bounds.must_end && world.breach.is_none() && world.disorder == Disorder::Now;
    !is_asked || Schedule::new(model, world.clone()).run()
}

/// The same, line by line.
pub fn told_of_others(model: &Model, world: &World) -> String {
    let mut schedule = Schedule { lines: Some(Vec::new()), ..Schedule::new(model, world.clone()) };
    schedule.run();
    schedule.lines.unwrap_or_default().join("\n")
}

/// Whether the jobs of `world` end once everything is in order, where that is asked.
pub fn ends(model: &Model, world: &World) -> bool {
    let is_asked = model.bounds.must_end && world.breach.is_none();
    !is_asked || Schedule::new(model, in_order(world)).run()
}

/// What happens in the schedule that begins at `world`, line by line.
pub fn told(model: &Model, world: &World) -> String {
    told_of_others(model, &in_order(world))
}

/// The same world, with nothing out of order any more.
fn in_order(world: &World) -> World {
    let disorder = if world.disorder == Disorder::Now { Disorder::Over } else { world.disorder };
    World { disorder, ..world.clone() }
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
        world.left.deletions = 0;
        world.processes.iter_mut().for_each(|actor| actor.stopped = false);
        Self { model, world, lines: None }
    }

    fn run(&mut self) -> bool {
        let most = |world: &World| world.objects.iter().map(|version| version.number).max().unwrap_or_default();
        let bound = most(&self.world) + MOST_WRITES;
        let is_lasting = self.world.disorder == Disorder::Now;
        let rounds = if is_lasting { self.model.rules.layout.patience } else { ROUNDS };
        for _ in 0..rounds {
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
                return (0..end.len()).all(|of| !self.must_end(of) || end[of] == self.world.objects[of]);
            }
        }
        false
    }

    fn finished(&self) -> bool {
        let statuses = &self.model.rules.statuses;
        let is_over = |of: usize| is_true(&statuses.get(self.world.objects[of].status), &ConditionType::Finished);
        (0..self.world.objects.len()).all(|of| !self.must_end(of) || is_over(of))
    }

    /// Whether a job has to end whatever is out of order: it is not concerned, or has both deadlines.
    fn must_end(&self, of: usize) -> bool {
        let plan = &self.model.rules.layout.plans[of];
        let is_held_up = |trouble: Trouble| {
            let has_deadlines = plan.starts_within.is_some() && plan.active_for.is_some();
            !(has_deadlines && trouble.leaves_deadlines())
        };
        !self.world.gone[of] && !self.world.trouble_of(of, self.model).is_some_and(is_held_up)
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
        if self.world.konnect[0].elsewhere {
            self.happens(Action::ElsewhereEnds);
        }
        self.deliver();
        for by in 0..self.world.processes.len() {
            self.stand_by(by);
            for of in 0..self.world.objects.len() {
                self.pass(by, of);
            }
        }
        (0..self.world.konnect.len()).for_each(|slot| self.goes_on(slot));
        self.happens(Action::Tick);
    }

    /// Konnect goes on by one word at a target.
    fn goes_on(&mut self, slot: usize) {
        let mut actions = Vec::new();
        self.world.actions_of_konnect(slot, self.model, &mut actions);
        if let Some(action) = actions.first() {
            self.happens(*action);
        }
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
            if self.world.gone[of] {
                if !self.model.processes.get(self.world.processes[by].process).kept[of].gone {
                    self.happens(Action::SeesDeletion { by, of });
                }
                return;
            }
            self.happens(Action::Begin { by, of, fresh: true });
        }
        for _ in 0..EFFECTS {
            let Some(waits_for) = self.waits_for(by, of) else { return };
            match waits_for {
                WaitsFor::Reading => self.happens(Action::Read { by, of, stale: false }),
                WaitsFor::Webhook => self.happens(Action::ReadWebhook { by, of }),
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
