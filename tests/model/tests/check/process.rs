//! One process: scheduler, memory and running passes, as the binary has them. The code is the core's; what stands here is the part of
//! the driver, `src/replay/pass.rs`, that makes the calls. A pass stops wherever it waits for the world.

mod asks;
mod lies;
mod turn;

use chrono::TimeDelta;
use konnect_replay_core::replay::{Candidate, Course, FirstSight, Memory, Policy, Scheduler, Woken};

use super::cluster::{StatusId, Statuses, Version};
use super::flaw::Flaw;
use super::konnect::{Answer, Job, Object, Receiver, Window};
use super::layout::Layout;
use super::time::{Tick, clock};
use turn::Turn;

/// What all processes of a model have in common.
pub struct Rules {
    pub policy: Policy,
    pub statuses: Statuses,
    pub layout: Layout,
    pub flaw: Option<Flaw>,
}

impl Rules {
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

/// All that a process has in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Which of the processes, and how often it has begun anew: no two draw the same ids.
    name: (usize, u8),
    /// How far its wall clock is ahead.
    ahead: TimeDelta,
    pub scheduler: Scheduler,
    pub kept: Vec<Kept>,
}

/// What it has of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What the watch has shown last.
    pub cached: Version,
    /// What it remembers; with the pass while one is under way.
    memory: Option<Memory>,
    pub pass: Option<Pass>,
    /// Whether the object is gone, and the process knows.
    pub gone: bool,
    /// Ids drawn.
    drawn: u8,
    /// Since when it keeps its lane behind somebody else's run; only with a flaw.
    patient_since: Option<Tick>,
}

/// A pass that waits for the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    course: Course,
    conflicts: u8,
    pub waits_for: WaitsFor,
    /// The last reading of Konnect's job in this pass.
    pub read: Option<Look>,
}

/// What is true of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    pub at: Tick,
    /// It showed the target busy.
    pub busy: bool,
    /// It lagged, and what it did not show yet is somebody else's.
    pub hides_outsider: bool,
}

/// What a pass waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// Konnect's job.
    Reading,
    /// The webhook; where it is always the same, it is not waited for.
    Webhook,
    /// A status to be written on exactly this version.
    Write { on: Version, status: StatusId, intent: bool },
    /// The processor: the intent is written, and the process may be stopped at the worst moment.
    GoingOn,
    /// The answer to its PUT, which has just been sent if `now`.
    Answer { window: Window, sent: Tick },
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    Done(Version),
    /// Somebody else wrote first; this is what a read returns.
    Overtaken(Version),
    /// The apiserver did not answer.
    NoAnswer,
    /// There is no such object any more.
    Gone,
}

/// Something that the world does to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A pass begins, on the version that the watch has shown.
    Begin(Version),
    /// Konnect's job; with whether it hides what an outsider has just begun.
    Read(Job, bool),
    /// An error instead, by its HTTP status.
    ReadFails(u16),
    Webhook(Receiver),
    Write(Written),
    GoOn,
    Answer(Answer),
    /// The watch shows that the object is gone.
    Gone,
}

impl Process {
    /// A process begins: it lists the objects, and reserves what may be under way.
    pub fn start(
        name: (usize, u8),
        ahead: TimeDelta,
        rules: &Rules,
        (objects, gone): (&[Version], &[bool]),
        rest: Option<Tick>,
    ) -> Self {
        let mut scheduler = Scheduler::new(&rules.policy);
        let begun = clock(rest.unwrap_or_default(), ahead).mono;
        if let Some(now) = rest.filter(|_| !rules.has(Flaw::DoesNotRest)) {
            scheduler.rest_until(clock(now, ahead).mono + rules.policy.settle_time());
        }
        for (which, version) in objects.iter().enumerate().filter(|(which, _)| !gone[*which]) {
            let job = rules.statuses.object(which, *version);
            let _: Woken = match (FirstSight::of(&job), Candidate::of(&job, &rules.policy)) {
                (FirstSight::Reserves, Some(who)) => scheduler.reserve(&who, begun),
                (FirstSight::Waits, Some(who)) if rules.layout.queued => scheduler.wait(&who, begun),
                _ => Woken::default(),
            };
        }
        let kept = objects.iter().zip(gone).map(|(cached, gone)| Kept { gone: *gone, ..Kept::new(*cached) }).collect();
        Self { name, ahead, scheduler, kept }
    }

    pub fn is_in_a_pass(&self) -> bool {
        self.kept.iter().any(|kept| kept.pass.is_some())
    }

    pub fn name(&self) -> (usize, u8) {
        self.name
    }

    /// The same process after `input` for one of its objects.
    pub fn after(&self, object: Object, input: Input, now: Tick, rules: &Rules) -> Self {
        let mut process = self.clone();
        let _: (Woken, _) = process.scheduler.due(clock(now, process.ahead).mono);
        Turn { process: &mut process, object, now, rules }.take(input);
        process.scheduler.forget_wake_ups();
        process
    }
}

impl Kept {
    fn memory(&self) -> &Memory {
        let of_the_pass = self.pass.as_ref().map(|pass| &pass.course.memory);
        of_the_pass.or(self.memory.as_ref()).expect("a memory")
    }

    /// The pass is over; what it remembers stays.
    fn end_pass(&mut self) -> Course {
        let course = self.pass.take().expect("a pass").course;
        self.memory = Some(course.memory.clone());
        course
    }

    fn new(cached: Version) -> Self {
        Self { cached, memory: Some(Memory::default()), pass: None, gone: false, drawn: 0, patient_since: None }
    }
}
