//! The course of one pass over one object: what is known in it, what is recorded after each step, and what is reported to the scheduler.
//! Nothing here calls anybody: the driver, `replay` in the operator, does, and the model check (`tests/model`) plays that driver over the
//! same code.

use std::time::Duration;

use kube::ResourceExt;

use super::step::{Step, WaitCause};
use crate::api::{AuditLogReplayJob, AuditLogReplayJobStatus, Reason, SubmissionState};
use crate::konnect::{CallError, Reading, RemoteJob};
use crate::replay::decide::next::{is_finished, is_under_way_to, next, reserves};
use crate::replay::decide::over::limits_as_much;
use crate::replay::facts::clock::Clock;
use crate::replay::facts::job::{Refusal, Spec, ValidatedJob};
use crate::replay::facts::memory::{Memory, PutAnswer};
use crate::replay::facts::observed::{Draw, Learned, Observed, Seen, WebhookReading};
use crate::replay::facts::policy::Policy;
use crate::replay::facts::said::says_one_of;
use crate::replay::facts::sibling::Sibling;
use crate::replay::facts::token::TokenProblem;
use crate::replay::facts::version::VersionChoice;
use crate::replay::scheduler::{Answer, Candidate, ObjectId, Scheduler, Woken};

/// What a pass works with besides its object.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The installer's settings.
    pub policy: &'a Policy,
    /// Which job goes next.
    pub scheduler: &'a mut Scheduler,
    /// Now.
    pub clock: Clock,
}

/// One pass over one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    job: AuditLogReplayJob,
    spec: Spec,
    /// What the scheduler knows it as.
    who: Option<Candidate>,
    /// What this process remembers of the object, to be kept after the pass.
    pub memory: Memory,
    pub(super) learned: Learned,
    /// Whether the job reserves its lane because of a submission from before this pass. If that proves to be over, the job goes back to
    /// the queue before it sends again.
    settles: bool,
    /// Whether Konnect was known to have taken it when the pass began: that is no news of a later pass.
    was_accepted: bool,
}

/// Beginning, deciding and ending.
impl Course {
    /// Takes note of the object's status before anything is decided. A submission that may be under way reserves lane and target, also
    /// if another job has reserved them. `watched` is the object as the watch shows it.
    pub fn begin(watched: &AuditLogReplayJob, mut memory: Memory, around: &mut Surroundings) -> (Self, Woken) {
        let job = memory.own.newest(watched);
        memory.see(&job, around.clock);
        let settles = is_under_way_to(&job, &memory);
        let was_accepted = state(&job) == Some(&SubmissionState::Accepted);
        let spec = Spec::of(&job, around.policy);
        let who = spec.candidate(&job, around.policy);
        let course = Self { job, spec, who, memory, learned: Learned::default(), settles, was_accepted };
        let woken = match course.candidate().filter(|_| settles) {
            Some(who) => course.reserve_or_idle(who, around),
            None => Woken::default(),
        };
        (course, woken)
    }

    fn reserve_or_idle(&self, who: &Candidate, around: &mut Surroundings) -> Woken {
        let now = around.clock.mono;
        if reserves(&self.job, &self.memory, now) {
            around.scheduler.reserve(who, now)
        } else {
            around.scheduler.idle(who, now)
        }
    }

    /// The object, as last read or as our last write left it.
    pub fn job(&self) -> &AuditLogReplayJob {
        &self.job
    }

    /// What its spec describes, or why that cannot be worked with.
    pub fn validated(&self) -> Result<&ValidatedJob, &Refusal> {
        self.spec.accepted(&self.job)
    }

    /// What the scheduler needs to know of it.
    pub fn candidate(&self) -> Option<&Candidate> {
        self.who.as_ref()
    }

    /// The one thing to do next.
    pub fn next(&self, policy: &Policy, clock: Clock, draw: &Draw) -> Step {
        let Self { job, spec, memory, learned, .. } = self;
        next(&Observed { clock, policy, job, spec, learned, memory, draw })
    }

    /// Ends the pass with `last`: gives up what the pass reserved, unless a submission may be under way, and reports what it found.
    pub fn end(&mut self, last: &Step, around: &mut Surroundings) -> Woken {
        let (cause, wait) = match last {
            Step::Wait { cause, wait } => (Some(*cause), *wait),
            _ => (None, Duration::ZERO),
        };
        if cause.is_some_and(WaitCause::is_rest) {
            self.memory.rest(self.job.metadata.generation.unwrap_or_default(), around.clock, wait);
        }
        let Some(who) = self.candidate() else {
            return around.scheduler.gone(&ObjectId::of(&self.job), around.clock.mono);
        };
        let found = cause.map(|cause| self.report(who, cause, wait, around)).unwrap_or_default();
        found.and(self.leave(who, cause, around))
    }

    fn report(&self, who: &Candidate, cause: WaitCause, wait: Duration, around: &mut Surroundings) -> Woken {
        let (scheduler, now) = (&mut *around.scheduler, around.clock.mono);
        let state = state(&self.job);
        match cause {
            WaitCause::Poll if state == Some(&SubmissionState::Accepted) && !self.was_accepted => {
                scheduler.accepted(&who.route, now)
            }
            // Once for each request, by the pass that found it out. How long this job waits for its next one concerns no other job.
            WaitCause::Retry if state == Some(&SubmissionState::NotTaken) && self.settles => {
                scheduler.failed(who, WaitCause::NotTaken, Duration::ZERO, now)
            }
            cause => scheduler.failed(who, cause, wait, now),
        }
    }

    fn leave(&self, who: &Candidate, cause: Option<WaitCause>, around: &mut Surroundings) -> Woken {
        if is_under_way_to(&self.job, &self.memory) {
            return self.reserve_or_idle(who, around);
        }
        let (scheduler, now) = (&mut *around.scheduler, around.clock.mono);
        match cause {
            None => scheduler.gone(&who.id, now),
            Some(WaitCause::WindowEnd | WaitCause::Retry | WaitCause::Definition | WaitCause::TimeToLive) => {
                scheduler.idle(who, now)
            }
            Some(_) => scheduler.wait(who, now),
        }
    }

    /// Ends a pass that could not go on to its end: it failed, or no call to Konnect was free. `waits`: whether the job stays in the
    /// queue; else it comes back by itself, and others go meanwhile.
    pub fn interrupted(&self, waits: bool, around: &mut Surroundings) -> Woken {
        let Some(who) = self.candidate().filter(|_| !is_finished(&self.job)) else {
            return around.scheduler.gone(&ObjectId::of(&self.job), around.clock.mono);
        };
        let cause = if waits { WaitCause::Turn } else { WaitCause::Retry };
        self.leave(who, Some(cause), around)
    }
}

/// Learning.
impl Course {
    /// Asks whether the job may start. A user who asks for a try now is heard at once.
    pub fn take_turn(&mut self, around: &mut Surroundings) -> Woken {
        let Some(who) = self.who.clone() else { return Woken::default() };
        let settled = self.queue_again(&who, around);
        let asked_in = self.memory.asked_to_try_in(&self.job, around.clock, around.policy.poll_interval);
        let (turn, woken) = around.scheduler.take(&who, asked_in == Some(Duration::ZERO), around.clock.mono);
        self.learned.turn = Some(turn);
        settled.and(woken)
    }

    /// The submission that this pass began with may have proved to be over without a wait before the next one: a request whose answer
    /// was lost, and that Konnect did not take. The job gives up what it reserved for it, so that another target of the lane goes first.
    fn queue_again(&mut self, who: &Candidate, around: &mut Surroundings) -> Woken {
        if !self.settles || is_under_way_to(&self.job, &self.memory) {
            return Woken::default();
        }
        let found = self.report(who, WaitCause::Retry, Duration::ZERO, around);
        self.settles = false;
        found.and(around.scheduler.wait(who, around.clock.mono))
    }

    /// The Complete objects of the same namespace.
    pub fn siblings(&mut self, siblings: Vec<Sibling>) {
        self.learned.siblings = Some(siblings);
    }

    /// Whether there is a token.
    pub fn token(&mut self, token: Result<(), TokenProblem>, around: &mut Surroundings) -> Woken {
        self.memory.read_token(&token);
        let found = self.who.as_ref().filter(|_| token.is_ok());
        let woken = found.map(|who| around.scheduler.token_found(&who.route, around.clock.mono));
        self.learned.token = Some(token);
        woken.unwrap_or_default()
    }

    /// What the webhook's endpoints said, asked at `at`.
    pub fn webhook(&mut self, at: Clock, what: WebhookReading, around: &mut Surroundings) -> Woken {
        self.memory.read_webhook(what.config.as_ref());
        let on = self.who.as_ref().filter(|_| what.is_on());
        let woken = on.map(|who| around.scheduler.webhook_enabled(&who.route, around.clock.mono));
        self.learned.webhook = Some(Seen { at, what });
        woken.unwrap_or_default()
    }

    /// Konnect's job, asked for at `at`.
    pub fn remote(
        &mut self,
        at: Clock,
        what: Result<Reading<RemoteJob>, CallError>,
        around: &mut Surroundings,
    ) -> Woken {
        let value = what.as_ref().map(|reading| &reading.value);
        self.memory.read_remote(value, (&self.job, &self.spec), around.clock);
        if let Some(date) = what.as_ref().ok().and_then(|reading| reading.date) {
            self.memory.hear(date, at);
        }
        let answer = Answer::of(&what);
        self.learned.remote = Some(Seen { at, what });
        let woken = self.who.as_ref().map(|who| around.scheduler.answered(&who.route, answer, around.clock.mono));
        woken.unwrap_or_default()
    }

    /// Konnect's job under the other version of its API, which tells under which one Konnect knows the target.
    pub fn other_version(&mut self, what: Result<Reading<RemoteJob>, CallError>) {
        self.memory.read_other_version(what.as_ref().map(|reading| &reading.value));
        self.learned.other_version = Some(what);
    }

    /// The PUT of `id` was answered.
    pub fn answered(&mut self, id: &str, answer: PutAnswer, around: &mut Surroundings) -> Woken {
        let is_taken = matches!(answer, PutAnswer::Taken(_));
        self.memory.answered(id, around.clock, answer);
        let taken = self.who.as_ref().filter(|_| is_taken);
        taken.map(|who| around.scheduler.accepted(&who.route, around.clock.mono)).unwrap_or_default()
    }
}

/// Writing.
impl Course {
    /// Takes note that the intent in `status` is about to be written: from before that until the request is made, this process
    /// knows that it was not.
    pub fn intending(&mut self, status: &AuditLogReplayJobStatus, clock: Clock) {
        if let Some(submission) = &status.submission {
            self.memory.intending(&submission.id, clock);
        }
    }

    /// A write of ours made the object `written`.
    pub fn wrote(&mut self, written: AuditLogReplayJob, policy: &Policy, clock: Clock) {
        self.memory.conflicts_recorded();
        if written.status.as_ref().is_some_and(|status| says_one_of(status, &[Reason::Queued])) {
            self.memory.said_queued(clock);
        }
        self.memory.own.note(self.job.resource_version().unwrap_or_default(), &written);
        self.go_on_with(written, policy);
    }

    /// Continues the pass as if this status had been stored. For what the API server drops at every write, and only for that: see
    /// [`Step::WriteIntent`] for what must be stored.
    pub fn suppose(&mut self, status: &AuditLogReplayJobStatus, policy: &Policy) {
        let job = AuditLogReplayJob { status: Some(status.clone()), ..self.job.clone() };
        self.go_on_with(job, policy);
    }

    /// Takes note of whether the API server stored all that limits sending of the status that was `meant`.
    pub fn stored(&mut self, meant: &AuditLogReplayJobStatus) {
        self.learned.unstored |= !self.job.status.as_ref().is_some_and(|stored| limits_as_much(stored, meant));
    }

    /// Another process wrote first: the next pass goes by what it wrote, even if a watch that lags shows an older version. What was
    /// learned from Konnect still holds.
    pub fn overtaken(&mut self, newest: AuditLogReplayJob, policy: &Policy, clock: Clock) {
        self.memory.own.note(self.job.resource_version().unwrap_or_default(), &newest);
        self.go_on_with(newest, policy);
        self.memory.see(&self.job, clock);
    }

    /// The version of Konnect's API that was found in this pass holds to its end, also where the API server dropped it.
    fn go_on_with(&mut self, mut job: AuditLogReplayJob, policy: &Policy) {
        let before = VersionChoice::of(&self.job);
        if let (VersionChoice::Settled(found), VersionChoice::Open) = (before, VersionChoice::of(&job)) {
            job.status.get_or_insert_default().konnect_api_version = Some(found);
        }
        let after = VersionChoice::of(&job);
        if after.asked_first() != before.asked_first() {
            self.learned.forget_konnect();
        }
        // A write of ours changes the spec's meaning only by the version that it records.
        if job.spec != self.job.spec || after != before {
            self.spec = Spec::of(&job, policy);
            self.who = self.spec.candidate(&job, policy);
        }
        self.job = job;
    }
}

fn state(job: &AuditLogReplayJob) -> Option<&SubmissionState> {
    job.status.as_ref().and_then(|status| status.submission.as_ref()).map(|submission| &submission.state)
}
