//! The course of one pass over one object: what is known in it, what is recorded after each step, and what is reported to the scheduler.
//! Nothing here calls anybody: the driver, `controller` in the operator, does, and the model check (`tests/model`) plays that driver over the
//! same code.

use std::time::Duration;

use kube::ResourceExt;
use kube::core::ObjectMeta;

use crate::api::{AuditLogReplayJob, AuditLogReplayJobStatus, Reason, SubmissionState};
use crate::konnect::{CallError, Reading, RemoteJob};
use crate::replay::decide::next::{is_finished, is_under_way_to, next, reserves};
use crate::replay::decide::over::limits_as_much;
use crate::replay::facts::clock::Clock;
use crate::replay::facts::memory::{Memory, PutAnswer};
use crate::replay::facts::observed::{Draw, Learned, Observed, Seen, WebhookReading};
use crate::replay::facts::policy::Policy;
use crate::replay::facts::said::says_one_of;
use crate::replay::facts::sibling::Sibling;
use crate::replay::facts::token::TokenProblem;
use crate::replay::facts::version::VersionChoice;
use crate::replay::scheduler::{Answer, Candidate, ObjectId, Route, Scheduler, Woken};
use crate::replay::step::{Step, WaitCause};

/// One pass over one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    job: AuditLogReplayJob,
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
    /// if another job has reserved them.
    pub fn begin(
        job: AuditLogReplayJob,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
        clock: Clock,
    ) -> (Self, Woken) {
        memory.see(&job, clock);
        let settles = is_under_way_to(&job, memory);
        let was_accepted = state(&job) == Some(&SubmissionState::Accepted);
        let course = Self { job, learned: Learned::default(), settles, was_accepted };
        let woken = match course.candidate(policy).filter(|_| settles) {
            Some(who) => course.reserve_or_idle(&who, memory, scheduler, clock.mono),
            None => Woken::default(),
        };
        (course, woken)
    }

    fn reserve_or_idle(&self, who: &Candidate, memory: &Memory, scheduler: &mut Scheduler, now: Duration) -> Woken {
        if reserves(&self.job, memory, now) { scheduler.reserve(who, now) } else { scheduler.idle(who, now) }
    }

    /// The object, as last read or as our last write left it.
    pub fn job(&self) -> &AuditLogReplayJob {
        &self.job
    }

    /// What the scheduler needs to know of it.
    pub fn candidate(&self, policy: &Policy) -> Option<Candidate> {
        Candidate::of(&self.job, policy)
    }

    fn route(&self, policy: &Policy) -> Option<Route> {
        self.candidate(policy).map(|who| who.route)
    }

    /// The one thing to do next.
    pub fn next(&self, memory: &Memory, policy: &Policy, clock: Clock, draw: &Draw) -> Step {
        next(&Observed { clock, job: &self.job, learned: &self.learned, memory, draw }, policy)
    }

    /// Ends the pass with `last`: gives up what the pass reserved, unless a submission may be under way, and reports what it found.
    pub fn end(
        &self,
        last: &Step,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
        clock: Clock,
    ) -> Woken {
        let now = clock.mono;
        let (cause, wait) = match last {
            Step::Wait { cause, wait } => (Some(*cause), *wait),
            _ => (None, Duration::ZERO),
        };
        if cause.is_some_and(WaitCause::is_rest) {
            memory.rest(self.job.metadata.generation.unwrap_or_default(), clock, wait);
        }
        let Some(who) = self.candidate(policy) else { return scheduler.gone(&ObjectId::of(&self.job), now) };
        let found = cause.map(|cause| self.report(&who, cause, wait, (&mut *scheduler, now))).unwrap_or_default();
        found.and(self.leave(&who, cause, memory, scheduler, now))
    }

    fn report(&self, who: &Candidate, cause: WaitCause, wait: Duration, to: (&mut Scheduler, Duration)) -> Woken {
        let (scheduler, now) = to;
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

    fn leave(
        &self,
        who: &Candidate,
        cause: Option<WaitCause>,
        memory: &Memory,
        scheduler: &mut Scheduler,
        now: Duration,
    ) -> Woken {
        if is_under_way_to(&self.job, memory) {
            return self.reserve_or_idle(who, memory, scheduler, now);
        }
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
    pub fn interrupted(
        &self,
        waits: bool,
        memory: &Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
        now: Duration,
    ) -> Woken {
        let Some(who) = self.candidate(policy).filter(|_| !is_finished(&self.job)) else {
            return scheduler.gone(&ObjectId::of(&self.job), now);
        };
        let cause = if waits { WaitCause::Turn } else { WaitCause::Retry };
        self.leave(&who, Some(cause), memory, scheduler, now)
    }
}

/// Learning.
impl Course {
    /// Asks whether the job may start. A user who asks for a try now is heard at once.
    pub fn take_turn(&mut self, memory: &Memory, scheduler: &mut Scheduler, policy: &Policy, clock: Clock) -> Woken {
        let Some(who) = self.candidate(policy) else { return Woken::default() };
        let settled = self.queue_again(&who, memory, scheduler, clock.mono);
        let insists = memory.asked_to_try_in(&self.job, clock, policy.poll_interval) == Some(Duration::ZERO);
        let (turn, woken) = scheduler.take(&who, insists, clock.mono);
        self.learned.turn = Some(turn);
        settled.and(woken)
    }

    /// The submission that this pass began with may have proved to be over without a wait before the next one: a request whose answer
    /// was lost, and that Konnect did not take. The job gives up what it reserved for it, so that another target of the lane goes first.
    fn queue_again(&mut self, who: &Candidate, memory: &Memory, scheduler: &mut Scheduler, now: Duration) -> Woken {
        if !self.settles || is_under_way_to(&self.job, memory) {
            return Woken::default();
        }
        let found = self.report(who, WaitCause::Retry, Duration::ZERO, (&mut *scheduler, now));
        self.settles = false;
        found.and(scheduler.wait(who, now))
    }

    /// The Complete objects of the same namespace.
    pub fn siblings(&mut self, siblings: Vec<Sibling>) {
        self.learned.siblings = Some(siblings);
    }

    /// Whether there is a token.
    pub fn token(
        &mut self,
        token: Result<(), TokenProblem>,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
        now: Duration,
    ) -> Woken {
        memory.read_token(&token);
        let route = self.route(policy).filter(|_| token.is_ok());
        self.learned.token = Some(token);
        route.map(|route| scheduler.token_found(&route, now)).unwrap_or_default()
    }

    /// What the webhook's endpoints said, asked at `at` and answered `now`.
    pub fn webhook(
        &mut self,
        (at, now): (Clock, Clock),
        what: WebhookReading,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
    ) -> Woken {
        memory.read_webhook(what.config.as_ref());
        let route = self.route(policy).filter(|_| what.is_on());
        self.learned.webhook = Some(Seen { at, what });
        route.map(|route| scheduler.webhook_enabled(&route, now.mono)).unwrap_or_default()
    }

    /// Konnect's job, asked for at `at` and answered `now`.
    pub fn remote(
        &mut self,
        (at, now): (Clock, Clock),
        what: Result<Reading<RemoteJob>, CallError>,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
    ) -> Woken {
        memory.read_remote(what.as_ref().map(|reading| &reading.value), &self.job, now);
        let answer = Answer::of(&what);
        if let Some(date) = what.as_ref().ok().and_then(|reading| reading.date) {
            memory.hear(date, at);
        }
        self.learned.remote = Some(Seen { at, what });
        self.route(policy).map(|route| scheduler.answered(&route, answer, now.mono)).unwrap_or_default()
    }

    /// The PUT of `id` was answered.
    pub fn answered(
        &self,
        id: &str,
        answer: PutAnswer,
        memory: &mut Memory,
        scheduler: &mut Scheduler,
        policy: &Policy,
        clock: Clock,
    ) -> Woken {
        let is_taken = matches!(answer, PutAnswer::Taken(_));
        memory.answered(id, clock, answer);
        let route = self.route(policy).filter(|_| is_taken);
        route.map(|route| scheduler.accepted(&route, clock.mono)).unwrap_or_default()
    }
}

/// Learning under which version of its API Konnect knows the target.
impl Course {
    /// Konnect's job under the other version of its API.
    pub fn other_version(&mut self, what: Result<Reading<RemoteJob>, CallError>, memory: &mut Memory) {
        memory.read_other_version(what.as_ref().map(|reading| &reading.value));
        self.learned.other_version = Some(what);
    }
}

/// Writing.
impl Course {
    /// Takes note that the intent in `status` is about to be written: from before that until the request is made, this process
    /// knows that it was not.
    pub fn intending(&self, status: &AuditLogReplayJobStatus, memory: &mut Memory, clock: Clock) {
        if let Some(submission) = &status.submission {
            memory.intending(&submission.id, clock);
        }
    }

    /// A write of ours made the object `written`.
    pub fn wrote(&mut self, written: AuditLogReplayJob, own: &mut OwnWrites, memory: &mut Memory, clock: Clock) {
        memory.conflicts_recorded();
        if written.status.as_ref().is_some_and(|status| says_one_of(status, &[Reason::Queued])) {
            memory.said_queued(clock);
        }
        own.note(self.job.resource_version().unwrap_or_default(), &written);
        self.go_on_with(written);
    }

    /// Goes on as if this status had been stored. For what the API server drops at every write, and only for that: see
    /// [`Step::WriteIntent`] for what must be stored.
    pub fn suppose(&mut self, status: &AuditLogReplayJobStatus) {
        let job = AuditLogReplayJob { status: Some(status.clone()), ..self.job.clone() };
        self.go_on_with(job);
    }

    /// Takes note of whether the API server stored all that limits sending of the status that was `meant`.
    pub fn stored(&mut self, meant: &AuditLogReplayJobStatus) {
        self.learned.unstored |= !self.job.status.as_ref().is_some_and(|stored| limits_as_much(stored, meant));
    }

    /// Another process wrote first: the next pass goes by what it wrote, even if a watch that lags shows an older version. What was
    /// learned from Konnect still holds.
    pub fn overtaken(&mut self, newest: AuditLogReplayJob, own: &mut OwnWrites, memory: &mut Memory, clock: Clock) {
        own.note(self.job.resource_version().unwrap_or_default(), &newest);
        self.go_on_with(newest);
        memory.see(&self.job, clock);
    }

    /// The version of Konnect's API that was found in this pass holds to its end, also where the API server dropped it.
    fn go_on_with(&mut self, mut job: AuditLogReplayJob) {
        let before = VersionChoice::of(&self.job);
        if let (VersionChoice::Settled(found), VersionChoice::Open) = (before, VersionChoice::of(&job)) {
            job.status.get_or_insert_default().konnect_api_version = Some(found);
        }
        if VersionChoice::of(&job).asked_first() != before.asked_first() {
            self.learned.forget_konnect();
        }
        self.job = job;
    }
}

fn state(job: &AuditLogReplayJob) -> Option<&SubmissionState> {
    job.status.as_ref().and_then(|status| status.submission.as_ref()).map(|submission| &submission.state)
}

/// What we last wrote of an object, or read past the watch, which the watch may not have shown yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnWrites(Option<Latest>);

#[derive(Clone, Debug, PartialEq)]
struct Latest {
    job: AuditLogReplayJob,
    superseded: Vec<String>,
}

impl OwnWrites {
    /// The newest version known: our own last write or reading, as long as the watch still shows one from before it.
    pub fn newest(&mut self, watched: &AuditLogReplayJob) -> AuditLogReplayJob {
        let version = watched.resource_version().unwrap_or_default();
        match &self.0 {
            Some(latest) if latest.superseded.contains(&version) => latest.job.clone(),
            _ => {
                self.0 = None;
                watched.clone()
            }
        }
    }

    /// Takes note that `job` came after version `from`: we wrote it, or read it when our write on `from` was refused.
    pub fn note(&mut self, from: String, job: &AuditLogReplayJob) {
        let mut superseded = self.0.take().map(|latest| latest.superseded).unwrap_or_default();
        superseded.push(from);
        // Who owns which field is most of an object, and decides nothing.
        let job = AuditLogReplayJob {
            metadata: ObjectMeta { managed_fields: None, ..job.metadata.clone() },
            spec: job.spec.clone(),
            status: job.status.clone(),
        };
        self.0 = Some(Latest { job, superseded });
    }
}
