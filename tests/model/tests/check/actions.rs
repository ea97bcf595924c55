//! Everything that can happen next, in each state of the world.

use konnect_replay_core::api::ConditionType;

use super::interner::ProcessId;
use super::judge::is_true;
use super::konnect::{Object, Request, Window, Word};
use super::layout::{Receiving, Slot, Trouble};
use super::model::{Model, Setup};
use super::process::{Input, WaitsFor};
use super::time::ON_THE_WAY;
use super::world::{Actor, Disorder, Role, World};

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
    ReadWebhook {
        by: usize,
        of: Object,
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
    Becomes(Slot, Word),
    Promoted(Slot),
    Outsider(Window),
    ElsewhereBegins,
    ElsewhereEnds,
    /// A user deletes an object.
    Deleted(Object),
    /// The watch shows it.
    SeesDeletion {
        by: usize,
        of: Object,
    },
    /// What is out of order in this world begins.
    Breaks,
    /// It ends.
    Mended,
    ReceiverMended,
    /// The webhook names another destination from now on.
    ReceiverMoves,
}

impl World {
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
        for slot in 0..self.konnect.len() {
            self.actions_of_konnect(slot, model, actions);
        }
        self.actions_of_others(model, actions);
        self.actions_of_disorder(model, actions);
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
                WaitsFor::Reading | WaitsFor::Webhook | WaitsFor::Answer { .. } => false,
            })
        };
        self.wire.iter().any(|request| request.answer.is_none()) || self.processes.iter().any(is_about_to_send)
    }

    /// What a process does takes no time, except on the wire, unless it is stopped. A request takes effect within the request
    /// timeout, or never: the assumption that README states.
    fn time_may_pass(&self, model: &Model) -> bool {
        let is_a_step = model.rules.layout.jump == 1;
        let on_time = self.wire.iter().all(|request| is_a_step && self.now < request.sent + ON_THE_WAY);
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
            None if self.gone[of] => true,
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
                        let place = &self.konnect[model.rules.layout.slot(of)];
                        let fails = self.trouble_of(of, model).is_some_and(|trouble| trouble.get().is_some());
                        let stale = place.visible(self.now).map(|(_, stale)| stale).filter(|stale| !(*stale && fails));
                        actions.extend(stale.map(|stale| Action::Read { by, of, stale }));
                        if self.left.faults > 0 {
                            actions.push(Action::Crash(by));
                        }
                        return true;
                    }
                    WaitsFor::Webhook => {
                        actions.push(Action::ReadWebhook { by, of });
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
                None if kept.gone => {}
                None if role == Role::Works => {
                    if self.gone[of] {
                        actions.push(Action::SeesDeletion { by, of });
                    }
                    actions.push(Action::Begin { by, of, fresh: false });
                    if kept.cached != self.objects[of] {
                        actions.push(Action::Begin { by, of, fresh: true });
                    }
                }
                None | Some(WaitsFor::Reading | WaitsFor::Webhook | WaitsFor::Answer { .. }) => {}
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

    pub fn actions_of_konnect(&self, slot: Slot, model: &Model, actions: &mut Vec<Action>) {
        if self.disorder == Disorder::Now && model.rules.layout.trouble == Some(Trouble::Hangs(slot)) {
            return;
        }
        let place = &self.konnect[slot];
        match place.job.word {
            Word::Accepted => actions.push(Action::Becomes(slot, Word::Running)),
            Word::Running => {
                actions.push(Action::Becomes(slot, Word::Completed));
                if self.left.failures > 0 {
                    actions.push(Action::Becomes(slot, Word::Failed));
                }
            }
            Word::Completed | Word::Failed if place.queued.is_some() => {
                actions.push(Action::Promoted(slot));
            }
            Word::Completed | Word::Failed => {}
        }
    }

    fn actions_of_others(&self, model: &Model, actions: &mut Vec<Action>) {
        let may_act = model.bounds.outsider_slips_in || !self.is_between_get_and_put(model);
        if self.left.outsider > 0 && may_act {
            actions.push(Action::Outsider(Window::FOREIGN));
            actions.push(Action::Outsider(Window::asked_as(0)));
            if model.questions.q2_region && !self.konnect[0].elsewhere {
                actions.push(Action::ElsewhereBegins);
            }
        }
        if self.konnect[0].elsewhere {
            actions.push(Action::ElsewhereEnds);
        }
        if self.left.deletions > 0 {
            actions.extend((0..self.objects.len()).filter(|of| !self.gone[*of]).map(Action::Deleted));
        }
    }

    fn actions_of_disorder(&self, model: &Model, actions: &mut Vec<Action>) {
        match self.disorder {
            Disorder::NotYet if model.rules.layout.trouble.is_some() => actions.push(Action::Breaks),
            Disorder::Now => actions.push(Action::Mended),
            Disorder::NotYet | Disorder::Over => {}
        }
        let change = match model.rules.layout.receiver {
            Receiving::AtLast if self.receiver.refuses => Some(Action::ReceiverMended),
            Receiving::Elsewhere if self.receiver.destination == 0 => Some(Action::ReceiverMoves),
            Receiving::Always | Receiving::AtLast | Receiving::Elsewhere => None,
        };
        actions.extend(change.filter(|_| self.is_quiet_at_the_receiver(model)));
    }

    /// Whether nothing is being delivered, what was delivered is on record, and the watches have shown that. Konnect tells one answer of
    /// the receiver, the last: which delivery it belongs to nobody can tell.
    fn is_quiet_at_the_receiver(&self, model: &Model) -> bool {
        let is_on_record = |of: Object| {
            let status = model.rules.statuses.get(self.objects[of].status);
            status.submission.is_none() || is_true(&status, &ConditionType::Finished)
        };
        let is_idle = |actor: &Actor| {
            let process = model.processes.get(actor.process);
            let shown = process.kept.iter().zip(&self.objects).all(|(kept, version)| kept.cached == *version);
            shown && !process.is_in_a_pass()
        };
        (0..self.objects.len()).all(is_on_record) && self.processes.iter().all(is_idle)
    }
}
