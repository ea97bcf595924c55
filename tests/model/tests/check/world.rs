//! The whole world in one state, and what becomes of it.

use konnect_replay_core::api::AuditLogReplayJobStatus;

use super::actions::Action;
use super::cluster::{StatusId, Version};
use super::interner::ProcessId;
use super::judge::{Breach, Truth};
use super::konnect::{Answer, By, Job, Object, Place, Receiver, Request, Window, Word};
use super::layout::{Receiving, Slot, Trouble};
use super::model::{Bounds, Model, Setup};
use super::process::{Input, Process, WaitsFor, Written};
use super::time::Tick;

/// One state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Tick,
    pub konnect: Vec<Place>,
    pub objects: Vec<Version>,
    /// Which of them were deleted.
    pub gone: Vec<bool>,
    pub disorder: Disorder,
    pub receiver: Receiver,
    pub processes: Vec<Actor>,
    /// Requests on their way to Konnect, and answers on their way back.
    pub wire: Vec<Request>,
    /// A write that its process has given up, and that may still arrive.
    pub late: Option<(Object, PendingWrite)>,
    pub left: Left,
    pub truth: Vec<Truth>,
    pub breach: Option<Breach>,
}

/// Whether there is what is out of order in this world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disorder {
    NotYet,
    Now,
    Over,
}

/// A process, and whether it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    pub process: ProcessId,
    pub role: Role,
    /// Whether it is stopped: then it does nothing, and time goes on.
    pub stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    StandsBy,
    Works,
    /// It has lost the lease and does not know yet: it begins no pass and asks Konnect nothing more, and what it has begun it may go on
    /// with, at any later time.
    Deposed,
    /// It crashed, and another will take over.
    Dead,
}

/// What may still go wrong, or come from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    pub faults: u8,
    pub failures: u8,
    pub outsider: u8,
    pub deletions: u8,
}

/// A status on its way to the apiserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PendingWrite {
    /// On exactly this version.
    on: Version,
    status: StatusId,
    /// When its writer had read Konnect's job.
    read: Option<Tick>,
}

impl World {
    pub fn first(model: &Model) -> Self {
        let layout = &model.rules.layout;
        let status = model.rules.statuses.id(&AuditLogReplayJobStatus::default());
        let objects = vec![Version { number: 1, status }; model.bounds.objects];
        let gone = vec![false; objects.len()];
        let mut konnect = vec![Place::with(Job::foreign()); layout.organizations.len()];
        if layout.foreign_runs {
            konnect[0].job = konnect[0].job.running();
        }
        let receiver = Receiver { enabled: true, refuses: layout.receiver == Receiving::AtLast, destination: 0 };
        let actor = |index: usize| {
            let process = Process::start((index, 0), Model::ahead(index), &model.rules, (&objects, &gone), None);
            let stands_by = model.setup == Setup::Takeover && index == 1;
            let role = if stands_by { Role::StandsBy } else { Role::Works };
            Actor { process: model.processes.id(process), role, stopped: false }
        };
        let processes = (0..model.setup.processes()).map(actor).collect();
        let Bounds { faults, failures, outsider, deletions, .. } = model.bounds;
        let left = Left { faults, failures, outsider, deletions };
        let truth = vec![Truth::default(); model.bounds.objects];
        Self {
            now: 0,
            konnect,
            objects,
            gone,
            disorder: if layout.foreign_runs { Disorder::Now } else { Disorder::NotYet },
            receiver,
            processes,
            wire: Vec::new(),
            late: None,
            left,
            truth,
            breach: None,
        }
    }

    /// The state after `action`; `None` if nothing has changed.
    pub fn after(&self, action: Action, model: &Model) -> Option<Self> {
        let mut world = self.clone();
        world.happens(action, model);
        (world != *self).then_some(world)
    }

    pub fn happens(&mut self, action: Action, model: &Model) {
        match action {
            Action::Tick => {
                self.now += model.rules.layout.jump;
                self.konnect.iter_mut().for_each(|place| place.forget(self.now));
            }
            Action::Begin { by, of, fresh } => {
                let process = model.processes.get(self.processes[by].process);
                let version = if fresh { self.objects[of] } else { process.kept[of].cached };
                self.feed(by, of, Input::Begin(version), model);
            }
            Action::Read { by, of, stale } => {
                let place = &self.konnect[model.rules.layout.slot(of)];
                let shown = place.visible(self.now).find(|(_, is_stale)| *is_stale == stale);
                let (job, _) = shown.expect("visible");
                let hides_outsider = stale && place.job.by() == Some(By::Outsider);
                let input = match self.trouble_of(of, model).and_then(Trouble::get) {
                    Some(status) => Input::ReadFails(status),
                    None => Input::Read(job, hides_outsider),
                };
                self.feed(by, of, input, model);
            }
            Action::ReadWebhook { by, of } => {
                let off = self.disorder == Disorder::Now
                    && matches!(model.rules.layout.trouble, Some(Trouble::WebhookOff(slot)) if slot == model.rules.layout.slot(of));
                self.feed(by, of, Input::Webhook(Receiver { enabled: !off, ..self.receiver }), model);
            }
            Action::Write { by, of } => {
                let write = self.write_of(by, of, model);
                let written = self.store(of, write, model);
                self.feed(by, of, Input::Write(written), model);
            }
            Action::WriteUnanswered { by, of, stored } => {
                self.left.faults -= 1;
                let write = self.write_of(by, of, model);
                if stored {
                    self.store(of, write, model);
                }
                self.feed(by, of, Input::Write(Written::NoAnswer), model);
            }
            Action::WriteLate { by, of } => {
                self.left.faults -= 1;
                self.late = Some((of, self.write_of(by, of, model)));
                self.feed(by, of, Input::Write(Written::NoAnswer), model);
            }
            Action::LateWriteArrives => {
                let (of, write) = self.late.take().expect("a late write");
                self.store(of, write, model);
            }
            Action::GoOn { by, of } => self.feed(by, of, Input::GoOn, model),
            Action::Arrives(index) => self.arrives(index, model),
            Action::Lost(index) => self.lost(index, model),
            Action::Answered(index) => {
                let request = self.wire.remove(index);
                self.feed(request.from, request.object, Input::Answer(request.answer.expect("an answer")), model);
            }
            Action::AnswerLost(index) => {
                self.left.faults -= 1;
                let request = self.wire.remove(index);
                self.feed(request.from, request.object, Input::Answer(Answer::None), model);
            }
            Action::GivesUp(index) => {
                self.left.faults -= 1;
                let request = &mut self.wire[index];
                request.orphan = true;
                let (from, object) = (request.from, request.object);
                self.feed(from, object, Input::Answer(Answer::None), model);
            }
            Action::Crash(by) => self.crash(by, model),
            Action::Stops(by) => {
                self.left.faults -= 1;
                self.processes[by].stopped = true;
            }
            Action::Resumes(by) => self.processes[by].stopped = false,
            Action::TakesOver => self.takes_over(model),
            Action::Becomes(slot, word) => self.becomes(slot, word, model),
            Action::Promoted(slot) => self.konnect[slot].promote(),
            Action::Outsider(window) => {
                self.left.outsider -= 1;
                if self.put(0, window, By::Outsider, model).is_some() {
                    self.truth.iter_mut().for_each(|truth| truth.displaced = Some(self.now));
                }
            }
            Action::ElsewhereBegins => {
                self.left.outsider -= 1;
                self.konnect[0].elsewhere = true;
            }
            Action::ElsewhereEnds => self.konnect[0].elsewhere = false,
            Action::Deleted(of) => {
                self.left.deletions -= 1;
                self.gone[of] = true;
            }
            Action::SeesDeletion { by, of } => self.feed(by, of, Input::Gone, model),
            Action::Breaks => self.disorder = Disorder::Now,
            Action::Mended => self.disorder = Disorder::Over,
            Action::ReceiverMended => self.receiver.refuses = false,
            Action::ReceiverMoves => self.receiver.destination += 1,
        }
    }

    /// A process learns something, and goes on until it needs the world again.
    fn feed(&mut self, by: usize, of: Object, input: Input, model: &Model) {
        let before = self.processes[by].process;
        self.processes[by].process = model.processes.after(before, of, input, self.now, &model.rules);
        let process = model.processes.get(self.processes[by].process);
        let Some(pass) = &process.kept[of].pass else { return };
        if let WaitsFor::Answer { window, sent } = pass.waits_for {
            self.send(Request { from: by, object: of, window, sent, answer: None, orphan: false });
            let look = pass.read.filter(|look| !look.busy && self.now - look.at <= 1);
            match look {
                None => self.breach = self.breach.or(Some(Breach::Unread)),
                Some(look) if look.hides_outsider && !model.bounds.outsider_slips_in => {
                    self.breach = self.breach.or(Some(Breach::Assumption));
                }
                Some(_) => {}
            }
        }
    }

    fn send(&mut self, request: Request) {
        self.wire.push(request);
        self.wire.sort_by_key(|r| (r.from, r.object, r.sent, r.window.more, r.orphan));
    }

    fn write_of(&self, by: usize, of: Object, model: &Model) -> PendingWrite {
        let process = model.processes.get(self.processes[by].process);
        let pass = process.kept[of].pass.as_ref().expect("a pass");
        let WaitsFor::Write { on, status, .. } = pass.waits_for else { panic!("no write") };
        PendingWrite { on, status, read: pass.read.map(|look| look.at) }
    }

    /// The apiserver compares and swaps.
    fn store(&mut self, of: Object, write: PendingWrite, model: &Model) -> Written {
        let PendingWrite { on, status, read } = write;
        let standing = self.objects[of];
        if self.gone[of] {
            return Written::Gone;
        }
        if standing.number != on.number && !model.rules.has(super::flaw::Flaw::NoPrecondition) {
            return Written::Overtaken(standing);
        }
        self.judge(of, read, standing.status, status, model);
        self.objects[of] = Version { number: standing.number + 1, status };
        Written::Done(self.objects[of])
    }

    /// A PUT reaches Konnect.
    fn arrives(&mut self, index: usize, model: &Model) {
        let Request { object, window, orphan, .. } = self.wire[index];
        let slot = model.rules.layout.slot(object);
        let refused = self.trouble_of(object, model).and_then(Trouble::put);
        let Place { job: standing, queued, .. } = self.konnect[slot];
        let run = if refused.is_some() { None } else { self.put(slot, window, By::Us(object), model) };
        if run.is_some() {
            let same = |job: &Job| job.by() == Some(By::Us(object)) && job.word != Word::Failed;
            if same(&standing) || queued.is_some_and(|job| same(&job)) {
                self.breach.get_or_insert(Breach::SentTwice);
            }
            let ours = |job: &Job| matches!(job.by(), Some(By::Us(_))) && job.word.is_busy();
            if ours(&standing) || queued.is_some_and(|job| ours(&job)) {
                self.breach.get_or_insert(Breach::TwoAtOnce);
            }
            for (other, truth) in self.truth.iter_mut().enumerate() {
                if other != object && model.rules.layout.slot(other) == slot {
                    truth.displaced = Some(self.now);
                }
            }
        }
        if orphan {
            self.wire.remove(index);
        } else {
            let error = refused.map_or(Answer::Conflict, Answer::Error);
            self.wire[index].answer = Some(run.map_or(error, |job| Answer::Taken(job.shown())));
        }
    }

    fn lost(&mut self, index: usize, model: &Model) {
        let request = self.wire.remove(index);
        if !request.orphan {
            self.left.faults -= 1;
            self.feed(request.from, request.object, Input::Answer(Answer::None), model);
        }
    }

    /// Memory is gone; what is on its way goes on.
    fn crash(&mut self, by: usize, model: &Model) {
        self.left.faults -= 1;
        for request in self.wire.iter_mut().filter(|request| request.from == by) {
            request.orphan = true;
        }
        self.wire.retain(|request| !(request.orphan && request.answer.is_some()));
        let last = self.processes.iter().skip(by + 1).all(|actor| actor.role != Role::StandsBy);
        let replaced = model.setup == Setup::Takeover && (by == 0 || !last);
        let (index, incarnation) = model.processes.get(self.processes[by].process).name();
        // Where there is no election, nobody knows how the one before ended.
        let rest = (model.setup != Setup::TwoInstalls).then_some(self.now);
        let name = (index, incarnation + 1);
        let process = Process::start(name, Model::ahead(by), &model.rules, (&self.objects, &self.gone), rest);
        let role = if replaced { Role::Dead } else { Role::Works };
        self.processes[by] = Actor { process: model.processes.id(process), role, stopped: false };
    }

    /// The lease has run out: another process works, and the one before may not know it yet.
    fn takes_over(&mut self, model: &Model) {
        if self.processes[0].role == Role::Works {
            self.left.faults -= 1;
            self.processes[0].role = Role::Deposed;
        }
        let process =
            Process::start((1, 0), Model::ahead(1), &model.rules, (&self.objects, &self.gone), Some(self.now));
        self.processes[1] = Actor { process: model.processes.id(process), role: Role::Works, stopped: false };
    }

    fn becomes(&mut self, slot: Slot, word: Word, model: &Model) {
        let layout = &model.rules.layout;
        self.konnect[slot].advance(word, self.now, model.questions);
        let job = self.konnect[slot].job;
        let ran = job.asked.map(|(window, _)| window);
        // Whose window it was, all of it.
        let covers = |object: usize| {
            let plan = &layout.plans[object];
            plan.slot == slot && ran.is_some_and(|ran| ran.contains(Window::asked_as(plan.window)))
        };
        for (object, truth) in self.truth.iter_mut().enumerate() {
            match word {
                Word::Completed if covers(object) => {
                    (truth.completed, truth.completed_since) = (true, true);
                    truth.completed_by_outsider |= job.by() == Some(By::Outsider);
                    if !self.receiver.refuses {
                        truth.delivered_to |= 1 << self.receiver.destination;
                    }
                }
                // One that shows no window could be anybody's.
                Word::Failed if covers(object) || layout.slot(object) == slot && job.window.is_none() => {
                    truth.failed += 1;
                }
                Word::Accepted | Word::Running | Word::Completed | Word::Failed => {}
            }
        }
        self.left.failures -= u8::from(word == Word::Failed);
    }

    /// A PUT takes effect, or is refused with 409 (`None`): for a run at the target, or at another of the organisation (Q2).
    fn put(&mut self, slot: Slot, window: Window, by: By, model: &Model) -> Option<Job> {
        let (layout, questions) = (&model.rules.layout, model.questions);
        let shares = |other: usize| other != slot && layout.organizations[other] == layout.organizations[slot];
        let runs = |(other, place): (usize, &Place)| shares(other) && place.job.word == Word::Running;
        if questions.q2_region && self.konnect.iter().enumerate().any(runs) {
            return None;
        }
        self.konnect[slot].put(window, by, self.now, (questions, layout.lag))
    }

    /// What is out of order now for a job.
    pub fn trouble_of(&self, of: Object, model: &Model) -> Option<Trouble> {
        let trouble = model.rules.layout.trouble.filter(|_| self.disorder == Disorder::Now)?;
        trouble.concerns(&model.rules.layout.plans[of]).then_some(trouble)
    }
}
