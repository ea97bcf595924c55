//! A tiny controller for tests: it holds the object, what is learned and remembered, a logical clock and a scripted Konnect,
//! performs the steps that [`Course`] asks for, and checks the invariants on the way.

use std::time::Duration;

use chrono::TimeDelta;

use super::fixtures::{JobBuilder, NOW, at, policy};
use super::invariants::{condition, is_true};
use super::konnect::{Konnect, Put};
use crate::api::{
    ApiVersion, AuditLogReplayJob, AuditLogReplayJobStatus, Condition, ConditionType, REQUESTED_AT, Submission,
    TimeRange,
};
use crate::konnect::{CallError, RemoteJob};
use crate::replay::{
    Candidate, Clock, Course, Draw, FirstSight, Memory, OwnWrites, Policy, Scheduler, Sibling, Step, Surroundings,
    TokenProblem, Turn, Woken,
};

/// Steps in one pass, as in the controller.
const MAX_STEPS: usize = 32;

/// One object's life.
pub(super) struct Story {
    pub(super) job: AuditLogReplayJob,
    pub(super) konnect: Konnect,
    pub(super) token: Result<(), TokenProblem>,
    /// What the scheduler says, if a story is not about the scheduler.
    pub(super) turn: Option<Turn>,
    pub(super) scheduler: Scheduler,
    pub(super) siblings: Vec<Sibling>,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    pub(super) jitter: f64,
    /// How long a write to the apiserver takes.
    pub(super) write_takes: Duration,
    /// How long the process is stopped after the next write of an intent.
    pub(super) pause_after_intent: Option<(Duration, TimeDelta)>,
    /// Whether another process writes its own intent just before the next one of ours.
    pub(super) overtaken: bool,
    /// Whether the process dies just before, or just after, the next PUT.
    pub(super) dies: Option<Death>,
    /// What an older definition of the object drops of each status.
    pub(super) definition_drops: Option<fn(&mut AuditLogReplayJobStatus)>,
    /// Steps since the story began.
    pub(super) trace: Vec<Step>,
    /// Statuses written since the story began.
    pub(super) writes: Vec<AuditLogReplayJobStatus>,
    /// Windows sent since the story began, and when.
    pub(super) puts: Vec<(Clock, TimeRange)>,
    /// The version of Konnect's API under which each was sent.
    pub(super) sent_under: Vec<ApiVersion>,
    /// How the last pass ended.
    pub(super) last: Step,
    pub(super) course: Course,
    ids: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    BeforePut,
    AfterPut,
}

pub(super) fn story(job: JobBuilder) -> Story {
    story_of(job.build())
}

pub(super) fn story_of(job: AuditLogReplayJob) -> Story {
    let clock = Clock { wall: at(NOW), mono: Duration::from_secs(1000) };
    let (mut scheduler, policy) = (Scheduler::new(&policy()), policy());
    let mut around = Surroundings { policy: &policy, scheduler: &mut scheduler, clock };
    let (course, _) = Course::begin(&job, Memory::default(), &mut around);
    Story {
        job,
        konnect: Konnect::idle(),
        token: Ok(()),
        turn: None,
        scheduler,
        siblings: Vec::new(),
        policy,
        clock,
        jitter: 0.0,
        write_takes: Duration::ZERO,
        pause_after_intent: None,
        overtaken: false,
        dies: None,
        definition_drops: None,
        trace: Vec::new(),
        writes: Vec::new(),
        puts: Vec::new(),
        sent_under: Vec::new(),
        last: Step::AwaitChange,
        course,
        ids: 0,
    }
}

/// Setting the scene.
impl Story {
    pub(super) fn konnect_has(mut self, job: RemoteJob) -> Self {
        self.konnect.job = job;
        self
    }

    pub(super) fn put_is(mut self, answer: Put) -> Self {
        self.konnect.puts.push_back(answer);
        self
    }

    pub(super) fn every_put_is(mut self, answer: Put) -> Self {
        self.konnect.every_put = answer;
        self
    }

    pub(super) fn put_is_refused(self, error: CallError) -> Self {
        self.put_is(Put::Refused(error))
    }

    pub(super) fn get_fails(mut self, error: CallError) -> Self {
        self.konnect.get_fails = Some(error);
        self
    }

    pub(super) fn at_time(mut self, now: &str) -> Self {
        self.clock.wall = at(now);
        self
    }

    /// Konnect's clock is ahead of ours.
    pub(super) fn konnect_is_ahead(mut self, by: TimeDelta) -> Self {
        self.konnect.date = Some(by);
        self
    }
}

/// Going on.
impl Story {
    /// One pass, and the pass that its own writes wake: that one finds nothing to write and, while Konnect is left alone, asks
    /// nothing.
    pub(super) fn pass(&mut self) -> &mut Self {
        let wrote = self.writes.len();
        self.single_pass();
        if self.writes.len() > wrote && self.dies.is_none() {
            self.echo();
        }
        self
    }

    fn echo(&mut self) {
        let (steps, writes, first) = (self.trace.len(), self.writes.len(), self.last.clone());
        self.single_pass();
        assert_eq!(self.writes.len(), writes, "nothing changed, so nothing is written: {:?}", self.writes.last());
        let rests = matches!(&first, Step::Wait { cause, .. } if cause.is_rest()) || first == Step::AwaitChange;
        let asks = |step: &Step| !matches!(step, Step::TakeTurn | Step::Wait { .. } | Step::AwaitChange);
        assert!(
            !rests || !self.trace[steps..].iter().any(asks),
            "its own write makes it ask: {:?}",
            &self.trace[steps..]
        );
        self.last = first;
    }

    /// The pass, and what it works with.
    pub(super) fn around(&mut self) -> (&mut Course, Surroundings<'_>) {
        let Self { course, policy, scheduler, clock, .. } = self;
        (course, Surroundings { policy, scheduler, clock: *clock })
    }

    /// A pass begins.
    pub(super) fn begin(&mut self) {
        // The watch shows each write at once.
        let mut memory = std::mem::take(&mut self.course.memory);
        memory.own = OwnWrites::default();
        let job = self.job.clone();
        let (course, mut around) = self.around();
        *course = Course::begin(&job, memory, &mut around).0;
    }

    /// One pass alone.
    pub(super) fn single_pass(&mut self) {
        self.begin();
        for _ in 0..MAX_STEPS {
            let step = self.ask();
            self.trace.push(step.clone());
            self.perform(&step);
            if self.is_over(&step) {
                self.last = step;
                return;
            }
        }
        panic!("a decision that goes in circles: {:?}", &self.trace[self.trace.len() - 6..]);
    }

    /// What is next, by what is known now.
    pub(super) fn ask(&mut self) -> Step {
        self.ids += 1;
        let draw = Draw { jitter: self.jitter, submission_id: format!("id-{}", self.ids) };
        self.course.next(&self.policy, self.clock, &draw)
    }

    fn is_over(&self, step: &Step) -> bool {
        let died = match self.dies {
            Some(Death::BeforePut) => matches!(step, Step::WriteIntent(_)),
            Some(Death::AfterPut) => matches!(step, Step::Submit { .. }),
            None => false,
        };
        died || matches!(step, Step::Wait { .. } | Step::AwaitChange | Step::Delete)
    }

    /// The process dies and another begins, which remembers nothing and counts its own time.
    pub(super) fn restart(&mut self) -> &mut Self {
        self.course.memory = Memory::default();
        self.dies = None;
        self.clock.mono = Duration::from_secs(5);
        self.scheduler = Scheduler::new(&self.policy);
        let _: Woken = match (FirstSight::of(&self.job), Candidate::of(&self.job, &self.policy)) {
            (FirstSight::Reserves, Some(who)) => self.scheduler.reserve(&who, self.clock.mono),
            _ => Woken::default(),
        };
        self
    }

    /// Lets time pass, without a pass.
    pub(super) fn sleep(&mut self, time: Duration) -> &mut Self {
        self.clock.mono += time;
        self.clock.wall += TimeDelta::from_std(time).unwrap();
        self
    }

    /// Waits as the last pass asked for, or until the scheduler wakes it, then makes a pass.
    pub(super) fn wait(&mut self) -> &mut Self {
        let wait = self.waits();
        self.sleep(wait).pass()
    }

    /// How long it is until the next pass: the job's own timer, or the scheduler's.
    pub(super) fn next_pass_in(&mut self) -> Option<Duration> {
        let Step::Wait { wait, .. } = self.last else { return None };
        let (woken, next) = self.scheduler.due(self.clock.mono);
        let woken = (woken != Woken::default()).then_some(Duration::from_millis(1));
        let due = next.map(|next| next.saturating_sub(self.clock.mono).max(Duration::from_millis(1)));
        [Some(wait), due, woken].into_iter().flatten().min()
    }

    /// Passes as they come, for `time`.
    pub(super) fn run_for(&mut self, time: Duration) -> &mut Self {
        let end = self.clock.mono + time;
        while let Some(wait) = self.next_pass_in() {
            if self.clock.mono + wait > end {
                break;
            }
            assert!(!wait.is_zero(), "a wait of nothing is a loop");
            self.sleep(wait).pass();
        }
        let rest = end.saturating_sub(self.clock.mono);
        self.sleep(rest)
    }

    /// Passes as they come, until the object says `reason`.
    pub(super) fn until(&mut self, reason: &str) -> &mut Self {
        for _ in 0..200 {
            if self.reason() == reason {
                return self;
            }
            self.wait();
        }
        panic!("never said {reason}: {:?}", self.ready());
    }

    /// Konnect's job goes on, and is looked at.
    pub(super) fn konnect_says(&mut self, word: &str) -> &mut Self {
        self.konnect.job.status = word.to_owned().into();
        // Konnect's own times never go back.
        self.konnect.job.updated_at = self.konnect.job.updated_at.max(Some(self.clock.wall));
        self.wait()
    }

    /// The user edits the spec.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut AuditLogReplayJob)) -> &mut Self {
        change(&mut self.job);
        self.job.metadata.generation = self.job.metadata.generation.map(|g| g + 1);
        self.pass()
    }

    /// The user asks for a try now.
    pub(super) fn request(&mut self, value: &str) -> &mut Self {
        self.annotate(value);
        self.pass()
    }

    pub(super) fn annotate(&mut self, value: &str) {
        let annotations = self.job.metadata.annotations.get_or_insert_default();
        annotations.insert(REQUESTED_AT.to_owned(), value.to_owned());
    }

    /// The user edits both deadlines, and nothing else is checked than what every pass checks.
    pub(super) fn set_deadlines(&mut self, seconds: Option<u32>) {
        let spec = &mut self.job.spec;
        if spec.starting_deadline_seconds != seconds {
            (spec.starting_deadline_seconds, spec.active_deadline_seconds) = (seconds, seconds);
            self.job.metadata.generation = self.job.metadata.generation.map(|g| g + 1);
        }
        self.single_pass();
    }

    /// The user edits `spec.suspend`, and nothing else is checked than what every pass checks.
    pub(super) fn suspend(&mut self, on: bool) {
        if self.job.spec.suspend != on {
            self.job.spec.suspend = on;
            self.job.metadata.generation = self.job.metadata.generation.map(|g| g + 1);
        }
        self.single_pass();
    }
}

/// Looking.
impl Story {
    pub(super) fn status(&self) -> AuditLogReplayJobStatus {
        self.job.status.clone().unwrap_or_default()
    }

    pub(super) fn submission(&self) -> Submission {
        *self.status().submission.unwrap()
    }

    pub(super) fn condition(&self, type_: &ConditionType) -> Option<Condition> {
        condition(&self.status(), type_).cloned()
    }

    pub(super) fn ready(&self) -> Option<Condition> {
        self.condition(&ConditionType::Ready)
    }

    /// The state in one word.
    pub(super) fn reason(&self) -> String {
        self.ready().map(|c| c.reason).unwrap_or_default()
    }

    pub(super) fn message(&self) -> String {
        self.ready().map(|c| c.message).unwrap_or_default()
    }

    pub(super) fn is(&self, type_: &ConditionType) -> bool {
        is_true(&self.status(), type_)
    }

    /// The reasons of Ready, as they were written one after the other.
    pub(super) fn told(&self) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.writes.iter().map(|s| condition(s, &ConditionType::Ready).unwrap().reason.clone()).collect();
        reasons.dedup();
        reasons
    }

    /// Every condition that there ever was.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.writes.iter().flat_map(|s| &s.conditions)
    }

    /// Every reason that any condition ever had.
    pub(super) fn reasons(&self) -> impl Iterator<Item = String> {
        self.writes.iter().flat_map(|s| s.conditions.iter().map(|c| c.reason.clone()))
    }

    /// How many steps so far were `like` this one.
    pub(super) fn count(&self, like: &Step) -> usize {
        let kind = std::mem::discriminant(like);
        self.trace.iter().filter(|s| std::mem::discriminant(*s) == kind).count()
    }

    pub(super) fn waits(&mut self) -> Duration {
        match self.next_pass_in() {
            Some(wait) => wait,
            None => panic!("not waiting for a time, but {:?}", self.last),
        }
    }
}
