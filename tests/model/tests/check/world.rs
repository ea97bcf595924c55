//! The whole world in one state, and everything that can happen to it.

use konnect_replay_model::api::{AuditLogReplayJobStatus, ConditionStatus, ConditionType, SubmissionState};

use super::cluster::{StatusId, Version};
use super::interner::ProcessId;
use super::konnect::{Answer, By, Job, Konnect, Object, Request, Window, Word};
use super::model::{Model, Setup};
use super::process::{Input, Process, WaitsFor, Written};
use super::time::{ON_THE_WAY, Tick};

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

/// What is true of an object, whatever anybody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// A run of its window has completed, ever.
    pub completed: bool,
    /// The same since its last intent.
    pub completed_since: bool,
    /// A run of exactly its window that somebody else asked for has completed. Where our request is in doubt, or theirs slips in
    /// before it, nobody can tell the two apart, and the events are delivered all the same.
    pub completed_by_outsider: bool,
    /// When a PUT of somebody else, or for another object, last took effect since the reading on which its last intent is based.
    pub displaced: Option<Tick>,
    /// Runs of its window that failed.
    pub failed: u8,
}

/// A broken invariant, or the end of what is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// I1: a PUT took effect although an earlier run of the same object was under way or had completed, and stood there.
    SentTwice,
    /// I1: a try was counted for a failure, or for a stranger's job, that there was not.
    Miscounted,
    /// I2: a PUT without a reading at most 10 s old that showed the target free.
    Unread,
    /// I2: a PUT took effect although a run of ours was under way.
    TwoAtOnce,
    /// I4: Complete and Failed, or an end that changed.
    EndChanged,
    /// None: somebody slipped in between a GET of ours, or what it could show, and our PUT. What follows is not promised.
    Assumption,
    /// I5: Complete without a run of the window that completed, or without saying how.
    FalselyComplete,
}

/// Something that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Tick,
    Begin {
        by: usize,
        of: Object,
        fresh: bool,
    },
    Read {
        by: usize,
        of: Object,
        stale: bool,
    },
    Write {
        by: usize,
        of: Object,
    },
    /// The apiserver does not answer, whether or not it stored.
    WriteUnanswered {
        by: usize,
        of: Object,
        stored: bool,
    },
    /// The apiserver does not answer in time, and stores later, perhaps.
    WriteLate {
        by: usize,
        of: Object,
    },
    LateWriteArrives,
    GoOn {
        by: usize,
        of: Object,
    },
    /// A PUT reaches Konnect.
    Arrives(usize),
    /// It never does.
    Lost(usize),
    Answered(usize),
    AnswerLost(usize),
    /// The sender waits no longer for a PUT that is still on its way.
    GivesUp(usize),
    Crash(usize),
    /// The process is stopped in the middle of a pass, for as long as it takes.
    Stops(usize),
    Resumes(usize),
    TakesOver,
    Becomes(Word),
    Promoted,
    Outsider(Window),
    ElsewhereBegins,
    ElsewhereEnds,
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

    /// Everything that can happen next.
    pub fn actions(&self, model: &Model, actions: &mut Vec<Action>) {
        if self.breach.is_some() {
            return;
        }
        if self.urgent(model, actions) {
            return;
        }
        for by in 0..self.processes.len() {
            self.actions_of(by, model, actions);
        }
        for (index, request) in self.wire.iter().enumerate() {
            self.actions_of_request(index, request, actions);
        }
        self.actions_of_konnect(model, actions);
        if self.late.is_some() {
            actions.push(Action::LateWriteArrives);
        }
        if self.may_take_over(model) {
            actions.push(Action::TakesOver);
        }
        if self.now < model.bounds.horizon && self.time_may_pass(model) {
            actions.push(Action::Tick);
        }
    }

    /// Whether one of ours has read Konnect's job, and its PUT is yet to arrive. That nobody slips in there is the other assumption
    /// that README states.
    fn is_between_get_and_put(&self, model: &Model) -> bool {
        let is_about_to_send = |actor: &Actor| {
            let process = model.processes.get(actor.process);
            process.kept.iter().flat_map(|kept| &kept.pass).any(|pass| match pass.waits_for {
                WaitsFor::Write { intent, .. } => intent,
                WaitsFor::GoingOn => true,
                WaitsFor::Reading | WaitsFor::Answer { .. } => false,
            })
        };
        self.wire.iter().any(|request| request.answer.is_none()) || self.processes.iter().any(is_about_to_send)
    }

    /// What a process does takes no time, except on the wire, unless it is stopped. A request takes effect within the request
    /// timeout, or never: the assumption that README states.
    fn time_may_pass(&self, model: &Model) -> bool {
        let on_time = self.wire.iter().all(|request| self.now < request.sent + ON_THE_WAY);
        let is_idle = |by: usize| {
            let Actor { process, role, stopped } = self.processes[by];
            stopped
                || role != Role::Works
                || (0..self.objects.len()).all(|of| self.has_nothing_to_do(process, of, model))
        };
        on_time && (0..self.processes.len()).all(is_idle)
    }

    /// Whether it waits for an answer, or has seen what there is and waits for a time.
    fn has_nothing_to_do(&self, id: ProcessId, of: Object, model: &Model) -> bool {
        match &model.processes.get(id).kept[of].pass {
            Some(pass) => matches!(pass.waits_for, WaitsFor::Answer { .. }),
            None => id == model.processes.after(id, of, Input::Begin(self.objects[of]), self.now, &model.rules),
        }
    }

    /// From one that crashed, or that is stopped in the middle of a pass. One that is stopped between two passes could as well have
    /// crashed.
    fn may_take_over(&self, model: &Model) -> bool {
        let stands_by = self.processes.iter().any(|actor| actor.role == Role::StandsBy);
        let stopped = self.left.faults > 0 && model.processes.get(self.processes[0].process).is_in_a_pass();
        stands_by && (stopped || self.processes[0].role == Role::Dead)
    }

    /// A pass that has just begun reads Konnect's job at once: to begin and be stopped before the reading is to begin later.
    fn urgent(&self, model: &Model, actions: &mut Vec<Action>) -> bool {
        for (by, actor) in self.processes.iter().enumerate().filter(|(_, a)| a.role == Role::Works && !a.stopped) {
            let process = model.processes.get(actor.process);
            for (of, kept) in process.kept.iter().enumerate() {
                let Some(pass) = &kept.pass else { continue };
                match pass.waits_for {
                    WaitsFor::Reading => {
                        let stale = self.konnect.visible(self.now).map(|(_, stale)| stale);
                        actions.extend(stale.map(|stale| Action::Read { by, of, stale }));
                        if self.left.faults > 0 {
                            actions.push(Action::Crash(by));
                        }
                        return true;
                    }
                    WaitsFor::Write { intent: false, .. } if model.setup != Setup::Takeover => {
                        actions.push(Action::Write { by, of });
                        if self.left.faults > 0 {
                            actions.push(Action::Crash(by));
                            actions.push(Action::WriteUnanswered { by, of, stored: true });
                        }
                        return true;
                    }
                    WaitsFor::Write { .. } | WaitsFor::GoingOn | WaitsFor::Answer { .. } => {}
                }
            }
        }
        false
    }

    fn actions_of(&self, by: usize, model: &Model, actions: &mut Vec<Action>) {
        let Actor { process, role, stopped } = self.processes[by];
        let process = model.processes.get(process);
        if matches!(role, Role::StandsBy | Role::Dead) {
            return;
        }
        if stopped {
            actions.push(Action::Resumes(by));
            return;
        }
        let faults = self.left.faults > 0;
        for (of, kept) in process.kept.iter().enumerate() {
            match kept.pass.as_ref().map(|pass| pass.waits_for) {
                None if role == Role::Works => {
                    actions.push(Action::Begin { by, of, fresh: false });
                    if kept.cached != self.objects[of] {
                        actions.push(Action::Begin { by, of, fresh: true });
                    }
                }
                None | Some(WaitsFor::Reading | WaitsFor::Answer { .. }) => {}
                Some(WaitsFor::Write { .. }) => {
                    actions.push(Action::Write { by, of });
                    if faults {
                        actions.push(Action::WriteUnanswered { by, of, stored: true });
                        actions.push(Action::WriteUnanswered { by, of, stored: false });
                        if self.late.is_none() {
                            actions.push(Action::WriteLate { by, of });
                        }
                    }
                }
                Some(WaitsFor::GoingOn) => actions.push(Action::GoOn { by, of }),
            }
        }
        // To crash between two passes is to crash at the beginning of the next.
        if faults && process.is_in_a_pass() {
            actions.push(Action::Crash(by));
            if role == Role::Works {
                actions.push(Action::Stops(by));
            }
        }
    }

    fn actions_of_request(&self, index: usize, request: &Request, actions: &mut Vec<Action>) {
        let faults = self.left.faults > 0;
        if request.answer.is_some() {
            actions.push(Action::Answered(index));
            if faults {
                actions.push(Action::AnswerLost(index));
            }
            return;
        }
        actions.push(Action::Arrives(index));
        if faults || request.orphan {
            actions.push(Action::Lost(index));
        }
        if faults && !request.orphan {
            actions.push(Action::GivesUp(index));
        }
    }

    fn actions_of_konnect(&self, model: &Model, actions: &mut Vec<Action>) {
        match self.konnect.job.word {
            Word::Accepted => actions.push(Action::Becomes(Word::Running)),
            Word::Running => {
                actions.push(Action::Becomes(Word::Completed));
                if self.left.failures > 0 {
                    actions.push(Action::Becomes(Word::Failed));
                }
            }
            Word::Completed | Word::Failed if self.konnect.queued.is_some() => {
                actions.push(Action::Promoted);
            }
            Word::Completed | Word::Failed => {}
        }
        let may_act = model.bounds.outsider_slips_in || !self.is_between_get_and_put(model);
        if self.left.outsider > 0 && may_act {
            actions.push(Action::Outsider(Window::FOREIGN));
            actions.push(Action::Outsider(Window::asked_by(0)));
            if model.questions.q2_region && !self.konnect.elsewhere {
                actions.push(Action::ElsewhereBegins);
            }
        }
        if self.konnect.elsewhere {
            actions.push(Action::ElsewhereEnds);
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

    /// Whether what is written is true, and allowed.
    fn judge(&mut self, of: Object, read: Option<Tick>, before: StatusId, after: StatusId, model: &Model) {
        let (before, after) = (model.rules.statuses.get(before), model.rules.statuses.get(after));
        if is_new_intent(&before, &after) {
            let truth = &mut self.truth[of];
            truth.completed_since = false;
            truth.displaced = truth.displaced.filter(|at| read.is_none_or(|read| *at >= read));
        }
        let breach = judge_end(&before, &after)
            .or_else(|| judge_complete(&before, &after, self.truth[of]))
            .or_else(|| judge_count(&before, &after, self.truth[of]));
        self.breach = self.breach.or(breach);
    }
}

fn is_new_intent(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) -> bool {
    let id = |status: &AuditLogReplayJobStatus| status.submission.as_ref().map(|s| s.id.clone());
    let intended = after.submission.as_ref().is_some_and(|s| s.state == SubmissionState::Intended);
    intended && id(before) != id(after)
}

pub fn is_true(status: &AuditLogReplayJobStatus, type_: &ConditionType) -> bool {
    status.conditions.iter().any(|c| c.type_ == *type_ && c.status == ConditionStatus::True)
}

/// I4.
fn judge_end(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) -> Option<Breach> {
    let both = is_true(after, &ConditionType::Complete) && is_true(after, &ConditionType::Failed);
    let changed = is_true(before, &ConditionType::Finished) && before != after;
    (both || changed).then_some(Breach::EndChanged)
}

/// I5.
fn judge_complete(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus, truth: Truth) -> Option<Breach> {
    if !is_true(after, &ConditionType::Complete) || is_true(before, &ConditionType::Complete) {
        return None;
    }
    let reason = after.conditions.iter().find(|c| c.type_ == ConditionType::Ready).map(|c| c.reason.as_str());
    let holds = match reason {
        Some("Completed") => truth.completed_since || truth.completed_by_outsider,
        Some("Adopted" | "AlreadyReplayed") => truth.completed,
        _ => false,
    };
    (!holds).then_some(Breach::FalselyComplete)
}

/// I1, the limits: what is counted has happened.
fn judge_count(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus, truth: Truth) -> Option<Breach> {
    let counted = |status: &AuditLogReplayJobStatus| {
        status.retries.as_ref().map_or((0, 0), |r| (r.failed, r.superseded + r.ended_unseen))
    };
    let (before, after) = (counted(before), counted(after));
    let invented = after.0 > u32::from(truth.failed) || (after.1 > before.1 && truth.displaced.is_none());
    invented.then_some(Breach::Miscounted)
}
