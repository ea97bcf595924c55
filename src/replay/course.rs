//! The course of one pass over one object: what is known in it, what is noted down after each step, and what becomes of the
//! object's place in the lane. Nothing here calls anybody: the driver in [`crate::controller`] does, and the model check
//! (`tests/model`) plays that driver over the same code.

use std::time::Duration;

use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::duplicate::Sibling;
use super::lanes::{Candidate, Lanes, ObjectId, TroubleWith};
use super::memory::Memory;
use super::next::{Hold, holds_turn, is_finished, next};
use super::observed::{Clock, Draw, Learned, Observed, Seen, TokenProblem, Turn, WebhookReading};
use super::over::limits_as_much;
use super::policy::Policy;
use super::step::{Step, WaitCause};
use crate::api::{AuditLogReplayJob, AuditLogReplayJobStatus};
use crate::konnect::{CallError, Reading, RemoteJob};

/// Those who may be woken because of what was noted down: it may be their turn.
pub type Woken = Vec<ObjectId>;

/// One pass over one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    job: AuditLogReplayJob,
    learned: Learned,
}

/// Beginning, deciding and ending.
impl Course {
    /// Takes note of what stands in the object before anything is decided. What may be under way holds its place, whoever took it
    /// for free.
    pub fn begin(
        job: AuditLogReplayJob,
        memory: &mut Memory,
        lanes: &mut Lanes,
        policy: &Policy,
        clock: Clock,
    ) -> (Self, Woken) {
        memory.see(&job, clock);
        let course = Self { job, learned: Learned::default() };
        let woken = match (holds_turn(&course.job, memory, None, clock.mono), course.candidate(policy)) {
            (Hold::Target, Some(candidate)) => lanes.hold_target(&candidate, clock.mono),
            (Hold::LaneAndTarget, Some(candidate)) => {
                lanes.hold(&candidate);
                Woken::new()
            }
            (Hold::Nothing | Hold::Queued, _) | (_, None) => Woken::new(),
        };
        (course, woken)
    }

    /// The object, as last read or as our last write left it.
    pub fn job(&self) -> &AuditLogReplayJob {
        &self.job
    }

    /// What the lanes need to know of it.
    pub fn candidate(&self, policy: &Policy) -> Option<Candidate> {
        Candidate::of(&self.job, policy)
    }

    /// The one thing to do next.
    pub fn next(&self, memory: &Memory, policy: &Policy, clock: Clock, draw: &Draw) -> Step {
        next(&Observed { clock, job: &self.job, learned: &self.learned, memory, draw }, policy)
    }

    /// Ends the pass with `last`: says what becomes of the place in the lane, when to call again, and what trouble is shared.
    pub fn end(&self, last: &Step, memory: &mut Memory, lanes: &mut Lanes, policy: &Policy, clock: Clock) -> Woken {
        let mut woken = self.keep_or_leave_turn(last, memory, lanes, policy, clock.mono);
        if let Step::Wait { wait, cause } = last {
            if cause.is_rest() {
                memory.rest(self.job.metadata.generation.unwrap_or_default(), clock, *wait);
            }
            woken.extend(self.tell_the_lane(*cause, lanes, policy, clock.mono));
            woken.extend(self.share_trouble(*cause, clock.mono + *wait, lanes, policy));
        }
        woken
    }

    fn keep_or_leave_turn(
        &self,
        last: &Step,
        memory: &Memory,
        lanes: &mut Lanes,
        policy: &Policy,
        now: Duration,
    ) -> Woken {
        let nothing_new = matches!(last, Step::Wait { cause: WaitCause::Turn | WaitCause::Resting, .. });
        let Some(candidate) = self.candidate(policy).filter(|_| !nothing_new) else { return Woken::new() };
        match holds_turn(&self.job, memory, Some(last), now) {
            Hold::LaneAndTarget => Woken::new(),
            Hold::Target => lanes.hold_target(&candidate, now),
            Hold::Queued => lanes.back_to_the_queue(&candidate, now),
            // One that asks no more questions leaves what it looked into to the next.
            Hold::Nothing if *last == Step::AwaitChange || is_finished(&self.job) => lanes.gone(&candidate.id, now),
            Hold::Nothing => lanes.leave(&candidate.id, now),
        }
    }

    /// What the lane should know of what this job, whose turn it is, has found.
    fn tell_the_lane(&self, cause: WaitCause, lanes: &mut Lanes, policy: &Policy, now: Duration) -> Woken {
        let Some(Candidate { id, base_url, secret, .. }) = self.candidate(policy) else { return Woken::new() };
        match cause {
            WaitCause::RemoteJob => {
                lanes.blocked(&id, now);
                Woken::new()
            }
            WaitCause::Conflict => lanes.refused(&id, now),
            WaitCause::Poll => {
                lanes.going(&id);
                lanes.mended(&TroubleWith::Busy(base_url, secret), now)
            }
            WaitCause::Settle
            | WaitCause::Konnect
            | WaitCause::RateLimit
            | WaitCause::Kubernetes
            | WaitCause::Credentials
            | WaitCause::Permission
            | WaitCause::Webhook
            | WaitCause::Portal
            | WaitCause::Definition
            | WaitCause::WindowEnd
            | WaitCause::Turn
            | WaitCause::Retry
            | WaitCause::Resting
            | WaitCause::TimeToLive => Woken::new(),
        }
    }

    /// What this job waits for may be what others would wait for too: they need not ask.
    fn share_trouble(&self, cause: WaitCause, again: Duration, lanes: &mut Lanes, policy: &Policy) -> Option<ObjectId> {
        let candidate = self.candidate(policy)?;
        lanes.in_trouble(&TroubleWith::of(&candidate, cause)?, &candidate, again)
    }
}

/// Learning.
impl Course {
    /// Asks for lane and target. One that has looked in vain for long gives way to the next portal before it looks again, and one whose
    /// trouble another job looks into is passed over even if it has its turn.
    pub fn take_turn(&mut self, lanes: &mut Lanes, policy: &Policy, now: Duration) -> Woken {
        let Some(candidate) = self.candidate(policy) else { return Woken::new() };
        if let Some(wait) = lanes.resting(now) {
            self.learned.turn = Some(Turn::NotYet { wait });
            return Woken::new();
        }
        let mut woken = lanes.pass_over(&candidate, now);
        woken.extend(lanes.give_way(&candidate.id, now));
        self.learned.turn = Some(lanes.take(&candidate, now));
        woken
    }

    /// The Complete objects of the same namespace.
    pub fn siblings(&mut self, siblings: Vec<Sibling>) {
        self.learned.siblings = Some(siblings);
    }

    /// Whether there is a token.
    pub fn token(&mut self, token: Result<(), TokenProblem>, memory: &mut Memory) {
        memory.read_token(&token);
        self.learned.token = Some(token);
    }

    /// What the webhook's endpoints said, asked at `at`.
    pub fn webhook(&mut self, at: Clock, what: WebhookReading, memory: &mut Memory) {
        memory.read_webhook(what.config.as_ref());
        self.learned.webhook = Some(Seen { at, what });
    }

    /// Konnect's job, asked for at `at` and answered `now`. An answer shows that token and region work, for all who share them.
    pub fn remote(
        &mut self,
        (at, now): (Clock, Clock),
        what: Result<Reading<RemoteJob>, CallError>,
        memory: &mut Memory,
        lanes: &mut Lanes,
        policy: &Policy,
    ) -> Woken {
        memory.read_remote(what.as_ref().map(|reading| &reading.value), &self.job, now);
        let works = self.candidate(policy).filter(|_| what.is_ok());
        let mended = works.map(|who| {
            let access = TroubleWith::Access(who.secret.clone(), who.target);
            [TroubleWith::Secret(who.secret), access, TroubleWith::Region(who.base_url)]
        });
        if let Some(date) = what.as_ref().ok().and_then(|reading| reading.date) {
            memory.hear(date, at);
        }
        self.learned.remote = Some(Seen { at, what });
        mended.into_iter().flatten().flat_map(|with| lanes.mended(&with, now.mono)).collect()
    }
}

/// Writing.
impl Course {
    /// Takes note that the intent in `status` is about to be written: from before that until the request is made, this process
    /// knows that it was not. The webhook is there, for all who share the target.
    pub fn intending(
        &self,
        status: &AuditLogReplayJobStatus,
        memory: &mut Memory,
        lanes: &mut Lanes,
        policy: &Policy,
        clock: Clock,
    ) -> Woken {
        if let Some(submission) = &status.submission {
            memory.intending(&submission.id, clock);
        }
        let candidate = self.candidate(policy);
        candidate.map(|who| lanes.mended(&TroubleWith::Target(who.target), clock.mono)).unwrap_or_default()
    }

    /// A write of ours made the object `written`.
    pub fn wrote(&mut self, written: AuditLogReplayJob, own: &mut OwnWrites, memory: &mut Memory) {
        memory.conflicts_recorded();
        own.note(self.job.resource_version().unwrap_or_default(), &written);
        self.job = written;
    }

    /// Goes on as if this status had been stored. For what the API server drops at every write, and only for that: see
    /// [`Step::WriteIntent`] for what must be stored.
    pub fn suppose(&mut self, status: &AuditLogReplayJobStatus) {
        self.job.status = Some(status.clone());
    }

    /// Takes note of whether the API server stored all that limits sending of the status that was `meant`.
    pub fn stored(&mut self, meant: &AuditLogReplayJobStatus) {
        self.learned.unstored |= !self.job.status.as_ref().is_some_and(|stored| limits_as_much(stored, meant));
    }

    /// Somebody else wrote first: what they wrote counts, also for the next pass, whatever a watch that lags shows it. What was learned
    /// of the world still holds.
    pub fn overtaken(&mut self, newest: AuditLogReplayJob, own: &mut OwnWrites, memory: &mut Memory, clock: Clock) {
        own.note(self.job.resource_version().unwrap_or_default(), &newest);
        self.job = newest;
        memory.see(&self.job, clock);
    }
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
