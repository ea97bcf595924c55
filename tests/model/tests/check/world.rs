//! The whole world in one state, and what becomes of it.

use konnect_replay_model::api::AuditLogReplayJobStatus;

use super::actions::Action;
use super::cluster::{StatusId, Version};
use super::interner::ProcessId;
use super::judge::{Breach, Truth};
use super::konnect::{Answer, By, Job, Konnect, Object, Request, Word};
use super::model::{Model, Setup};
use super::process::{Input, Process, WaitsFor, Written};
use super::time::Tick;

/// One state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Tick,
    pub konnect: Konnect,
    pub objects: Vec<Version>,
    pub processes: Vec<Actor>,
    /// Requests on their way to Konnect, and answers on their way back.
    pub wire: Vec<Request>,
    /// A write that its process has given up, and that may still arrive.
    pub late: Option<(Object, PendingWrite)>,
    pub left: Left,
    pub truth: Vec<Truth>,
    pub breach: Option<Breach>,
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
    pub fn first(model: &Model, job: Job) -> Self {
        let status = model.rules.statuses.id(&AuditLogReplayJobStatus::default());
        let objects = vec![Version { number: 1, status }; model.bounds.objects];
        let konnect = Konnect::with(job);
        let actor = |index: usize| {
            let process = Process::start((index, 0), Model::ahead(index), &model.rules, &objects, None);
            let stands_by = model.setup == Setup::Takeover && index == 1;
            let role = if stands_by { Role::StandsBy } else { Role::Works };
            Actor { process: model.processes.id(process), role, stopped: false }
        };
        let processes = (0..model.setup.processes()).map(actor).collect();
        let left =
            Left { faults: model.bounds.faults, failures: model.bounds.failures, outsider: model.bounds.outsider };
        let truth = vec![Truth::default(); model.bounds.objects];
        Self { now: 0, konnect, objects, processes, wire: Vec::new(), late: None, left, truth, breach: None }
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
                self.now += 1;
                self.konnect.forget(self.now);
            }
            Action::Begin { by, of, fresh } => {
                let process = model.processes.get(self.processes[by].process);
                let version = if fresh { self.objects[of] } else { process.kept[of].cached };
                self.feed(by, of, Input::Begin(version), model);
            }
            Action::Read { by, of, stale } => {
                let shown = self.konnect.visible(self.now).find(|(_, is_stale)| *is_stale == stale);
                let (job, _) = shown.expect("visible");
                let hides_outsider = stale && self.konnect.job.by() == Some(By::Outsider);
                self.feed(by, of, Input::Read(job, hides_outsider), model);
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
            Action::Becomes(word) => self.becomes(word, model),
            Action::Promoted => self.konnect.promote(),
            Action::Outsider(window) => {
                self.left.outsider -= 1;
                if self.konnect.put(window, By::Outsider, self.now, model.questions).is_some() {
                    self.truth.iter_mut().for_each(|truth| truth.displaced = Some(self.now));
                }
            }
            Action::ElsewhereBegins => {
                self.left.outsider -= 1;
                self.konnect.elsewhere = true;
            }
            Action::ElsewhereEnds => self.konnect.elsewhere = false,
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
        let (standing, queued) = (self.konnect.job, self.konnect.queued);
        let run = self.konnect.put(window, By::Us(object), self.now, model.questions);
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
                if other != object {
                    truth.displaced = Some(self.now);
                }
            }
        }
        if orphan {
            self.wire.remove(index);
        } else {
            self.wire[index].answer = Some(run.map_or(Answer::Conflict, |job| Answer::Taken(job.shown())));
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
        let process = Process::start(name, Model::ahead(by), &model.rules, &self.objects, rest);
        let role = if replaced { Role::Dead } else { Role::Works };
        self.processes[by] = Actor { process: model.processes.id(process), role, stopped: false };
    }

    /// The lease has run out: another process works, and the one before may not know it yet.
    fn takes_over(&mut self, model: &Model) {
        if self.processes[0].role == Role::Works {
            self.left.faults -= 1;
            self.processes[0].role = Role::Deposed;
        }
        let process = Process::start((1, 0), Model::ahead(1), &model.rules, &self.objects, Some(self.now));
        self.processes[1] = Actor { process: model.processes.id(process), role: Role::Works, stopped: false };
    }

    fn becomes(&mut self, word: Word, model: &Model) {
        self.konnect.advance(word, self.now, model.questions);
        let of = self.konnect.job.asked.and_then(|(window, _)| window.of);
        match word {
            Word::Completed => {
                if let Some(truth) = of.and_then(|of| self.truth.get_mut(of)) {
                    (truth.completed, truth.completed_since) = (true, true);
                    truth.completed_by_outsider |= self.konnect.job.by() == Some(By::Outsider);
                }
            }
            Word::Failed => {
                self.left.failures -= 1;
                // One that shows no window could be anybody's.
                let nameless = self.konnect.job.window.is_none();
                for (object, truth) in self.truth.iter_mut().enumerate() {
                    truth.failed += u8::from(nameless || of == Some(object));
                }
            }
            Word::Accepted | Word::Running => {}
        }
    }
}
