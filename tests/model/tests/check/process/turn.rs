//! A process at work on one object, until it has to wait: the driver's part of a pass.

use konnect_replay_core::api::AuditLogReplayJobStatus;
use konnect_replay_core::konnect::{ApiError, CallError, Reading};
use konnect_replay_core::replay::{
    Candidate, Clock, Course, Draw, PutAnswer, Scheduler, Step, Surroundings, Woken, is_finished,
};

use super::{Input, Kept, Look, Pass, Process, Rules, WaitsFor, Written, asks};
use crate::cluster::Version;
use crate::flaw::Flaw;
use crate::konnect::{Answer, Job, Object, Receiver, Window};
use crate::time::{Tick, clock};

/// As in the driver.
const MAX_STEPS: usize = 32;
/// As in the driver.
const MAX_CONFLICTS: u8 = 3;

/// What a step came to.
enum Outcome {
    /// Ask again.
    Go,
    /// The world is needed.
    Wait(WaitsFor),
    /// The pass is over.
    End,
}

/// A process at work on one object, until it has to wait.
pub(super) struct Turn<'a> {
    pub(super) process: &'a mut Process,
    pub(super) object: Object,
    pub(super) now: Tick,
    pub(super) rules: &'a Rules,
}

impl Turn<'_> {
    pub(super) fn take(mut self, input: Input) {
        match input {
            Input::Begin(version) => self.begin(version),
            Input::Read(job, hides_outsider) => self.read(job, hides_outsider),
            Input::ReadFails(status) => self.read_fails(status),
            Input::Webhook(receiver) => self.webhook(receiver),
            Input::Gone => self.forget(),
            Input::Write(written) => self.written(written),
            Input::GoOn => self.go_on(),
            Input::Answer(answer) => self.answered(answer),
        }
    }

    fn kept(&mut self) -> &mut Kept {
        &mut self.process.kept[self.object]
    }

    /// The pass, and what it works with.
    fn around(&mut self) -> (&mut Pass, Surroundings<'_>) {
        let (object, clock) = (self.object, self.clock());
        let Process { scheduler, kept, .. } = &mut *self.process;
        let pass = kept[object].pass.as_mut().expect("a pass");
        (pass, Surroundings { policy: &self.rules.policy, scheduler, clock })
    }

    fn pass(&mut self) -> &mut Pass {
        self.kept().pass.as_mut().expect("a pass")
    }

    pub(super) fn clock(&self) -> Clock {
        let now = match &self.process.kept[self.object].pass {
            Some(Pass { read: Some(look), .. }) if self.rules.has(Flaw::TrustsTheReading) => look.at,
            _ => self.now,
        };
        clock(now, self.process.ahead)
    }

    fn begin(&mut self, version: Version) {
        let (object, clock) = (self.object, self.clock());
        let Process { scheduler, kept, .. } = &mut *self.process;
        let kept = &mut kept[object];
        kept.cached = version;
        let watched = self.rules.statuses.object(object, version);
        let mut memory = kept.memory.take().expect("no pass is under way");
        let seen = if self.rules.has(Flaw::ComparesClocks) {
            since_the_record(memory.own.newest(&watched).status.as_ref(), clock)
        } else {
            clock
        };
        let mut around = Surroundings { policy: &self.rules.policy, scheduler, clock: seen };
        let (course, _) = Course::begin(&watched, memory, &mut around);
        kept.pass = Some(Pass { course, conflicts: 0, waits_for: WaitsFor::GoingOn, read: None });
        self.go_on();
    }

    fn read(&mut self, job: Job, hides_outsider: bool) {
        let (clock, now) = (self.clock(), self.now);
        let mut value = job.remote();
        let believes = self.rules.has(Flaw::BelievesNamelessFailures);
        let (pass, mut around) = self.around();
        if believes && job.window.is_none() {
            let ours = pass.course.job().status.as_ref().and_then(|s| s.submission.as_ref()).map(|s| s.window);
            (value.start_at, value.end_at) = (ours.map(|w| w.start_at), ours.map(|w| w.end_at));
        }
        let what = Ok(Reading { value, date: Some(crate::time::instant(now)) });
        pass.read = Some(Look { at: now, busy: job.word.is_busy(), hides_outsider });
        let _: Woken = pass.course.remote(clock, what, &mut around);
        self.go_on();
    }

    fn read_fails(&mut self, status: u16) {
        let clock = self.clock();
        let what = Err(CallError::Api(ApiError { status, ..ApiError::default() }));
        let (pass, mut around) = self.around();
        let _: Woken = pass.course.remote(clock, what, &mut around);
        self.go_on();
    }

    fn webhook(&mut self, receiver: Receiver) {
        // With this flaw all destinations are one.
        let destination = if self.rules.has(Flaw::TrustsTheReceiver) { 0 } else { receiver.destination };
        let receiver = Receiver { destination, ..receiver };
        let (clock, what) = (self.clock(), asks::webhook(receiver, self.now));
        let (pass, mut around) = self.around();
        let _: Woken = pass.course.webhook(clock, what, &mut around);
        self.go_on();
    }

    /// What the driver does when its object is gone, be it that a watch says so or that a write is answered so (`vanished.rs`).
    fn forget(&mut self) {
        let (object, now) = (self.object, self.clock().mono);
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { cached, pass, drawn, .. } = &kept[object];
        let memory = kept[object].memory();
        let job =
            pass.as_ref().map_or_else(|| self.rules.statuses.object(object, *cached), |pass| pass.course.job().clone());
        let who = Candidate::of(&job, &self.rules.policy).expect("a job of the model is valid").id;
        let left = memory.unsettled(self.rules.policy.settle_time(), now);
        let left = left.filter(|_| scheduler.reserves(&who) && !self.rules.has(Flaw::ForgetsTheDeleted));
        let _: Woken = match left {
            None => scheduler.gone(&who, now),
            Some(left) => scheduler.vanished(&who, now + left, now),
        };
        kept[object] = Kept { gone: true, drawn: *drawn, ..Kept::new(*cached) };
    }

    fn written(&mut self, written: Written) {
        let (object, clock) = (self.object, self.clock());
        let policy = &self.rules.policy;
        let pass = self.process.kept[object].pass.as_mut().expect("a pass");
        match written {
            Written::Done(version) => {
                let was_intent = matches!(pass.waits_for, WaitsFor::Write { intent: true, .. });
                pass.course.wrote(self.rules.statuses.object(object, version), policy, clock);
                pass.waits_for = WaitsFor::GoingOn;
                if !was_intent {
                    self.go_on();
                }
            }
            Written::Overtaken(version) if pass.conflicts < MAX_CONFLICTS => {
                pass.conflicts += 1;
                let newest = self.rules.statuses.object(object, version);
                let before = pass.course.memory.own.clone();
                pass.course.overtaken(newest, policy, clock);
                if self.rules.has(Flaw::ForgetsRefusals) {
                    pass.course.memory.own = before;
                }
                self.go_on();
            }
            // The driver begins the next pass a minute later, which is longer than any world with deletions lasts.
            Written::Gone => {
                self.interrupted();
                self.forget();
            }
            // The pass fails; what is kept of the object stays, and nothing stays reserved but what may be under way.
            Written::Overtaken(_) | Written::NoAnswer => {
                self.interrupted();
                self.process.kept[object].end_pass();
            }
        }
    }

    fn interrupted(&mut self) {
        let (pass, mut around) = self.around();
        let _: Woken = pass.course.interrupted(false, &mut around);
    }

    fn answered(&mut self, answer: Answer) {
        let flaw = self.rules.has(Flaw::SendsAgainBlindly);
        let (pass, mut around) = self.around();
        let WaitsFor::Answer { .. } = pass.waits_for else { panic!("no PUT was sent") };
        let submission = pass.course.job().status.as_ref().and_then(|s| s.submission.as_ref()).expect("a record");
        let result = match answer {
            Answer::Taken(job) => Ok(job.remote()),
            Answer::Conflict => Err(CallError::Api(ApiError { status: 409, ..ApiError::default() })),
            Answer::Error(status) => Err(CallError::Api(ApiError { status, ..ApiError::default() })),
            Answer::None if flaw => Err(CallError::NotConnected("as if it had never left".to_owned())),
            Answer::None => Err(CallError::NoAnswer("the connection was lost".to_owned())),
        };
        let (id, answer) = (submission.id.clone(), PutAnswer::new(submission, result));
        let _: Woken = pass.course.answered(&id, answer, &mut around);
        self.go_on();
    }

    /// Decides and notes down, until the world is needed.
    fn go_on(&mut self) {
        for _ in 0..MAX_STEPS {
            let step = self.decide();
            match self.perform(step) {
                Outcome::Go => {}
                Outcome::Wait(waits_for) => {
                    self.pass().waits_for = waits_for;
                    return;
                }
                Outcome::End => return,
            }
        }
        panic!("a decision that goes in circles");
    }

    fn decide(&mut self) -> Step {
        let clock = self.clock();
        let ((which, incarnation), object) = (self.process.name, self.object);
        let Kept { pass, drawn, .. } = &self.process.kept[object];
        let submission_id = format!("{which}.{incarnation}.{object}.{drawn}");
        let draw = Draw { jitter: 0.0, submission_id };
        pass.as_ref().expect("a pass").course.next(&self.rules.policy, clock, &draw)
    }

    fn perform(&mut self, step: Step) -> Outcome {
        let (object, clock, now) = (self.object, self.clock(), self.now);
        let policy = &self.rules.policy;
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { pass, drawn, .. } = &mut kept[object];
        let pass = pass.as_mut().expect("a pass");
        let mut around = Surroundings { policy, scheduler, clock };
        match step {
            Step::TakeTurn if self.rules.flaw == Some(Flaw::SkipsReservation) => {
                let mut elsewhere = Scheduler::new(policy);
                let _: Woken = pass.course.take_turn(&mut Surroundings { policy, scheduler: &mut elsewhere, clock });
                Outcome::Go
            }
            Step::TakeTurn if self.rules.flaw == Some(Flaw::KeepsTheLane) => {
                // What it gives up for a request that Konnect did not take, it gives up elsewhere.
                let mut elsewhere = Scheduler::new(policy);
                let _: Woken = pass.course.take_turn(&mut Surroundings { policy, scheduler: &mut elsewhere, clock });
                let _: Woken = pass.course.take_turn(&mut around);
                Outcome::Go
            }
            Step::TakeTurn => {
                let _: Woken = pass.course.take_turn(&mut around);
                Outcome::Go
            }
            Step::ReadSiblings => {
                let siblings = asks::siblings(self.rules, kept, object);
                kept[object].pass.as_mut().expect("a pass").course.siblings(siblings);
                Outcome::Go
            }
            Step::ReadToken => {
                let _: Woken = pass.course.token(Ok(()), &mut around);
                Outcome::Go
            }
            Step::ReadWebhook { .. } if self.rules.layout.has_webhooks() => Outcome::Wait(WaitsFor::Webhook),
            Step::ReadWebhook { .. } => {
                let what = asks::webhook_that_works();
                let _: Woken = pass.course.webhook(clock, what, &mut around);
                Outcome::Go
            }
            // For the message alone: both versions are asked for nothing else where the spec names one.
            Step::ReadOtherVersion => {
                let what = Err(CallError::Api(ApiError { status: 404, ..ApiError::default() }));
                pass.course.other_version(what);
                Outcome::Go
            }
            Step::Delete => panic!("no object has a time to live"),
            Step::ReadRemoteJob => Outcome::Wait(WaitsFor::Reading),
            Step::WriteIntent(mut status) => {
                *drawn = drawn.wrapping_add(1);
                pass.course.intending(&status, clock);
                if self.rules.flaw == Some(Flaw::ForgetsPrevious) {
                    status.submission.as_mut().expect("an intent").previous = None;
                }
                Outcome::Wait(self.rules.write(&pass.course, &status, true))
            }
            Step::WriteStatus(status) => Outcome::Wait(self.rules.write(&pass.course, &status, false)),
            Step::Submit { id, window } => {
                pass.course.memory.sending(&id);
                Outcome::Wait(WaitsFor::Answer { window: Window::of_range(window), sent: now })
            }
            Step::Wait { .. } | Step::AwaitChange => {
                let _: Woken = pass.course.end(&step, &mut around);
                let course = kept[object].end_pass();
                self.lies_at_the_end(&step, &course);
                let kept = &mut self.process.kept;
                let (cached, drawn) = (kept[object].cached, kept[object].drawn);
                if is_finished(&self.rules.statuses.object(object, cached)) {
                    kept[object] = Kept { drawn, ..Kept::new(cached) };
                }
                Outcome::End
            }
        }
    }
}

impl Rules {
    fn write(&self, course: &Course, status: &AuditLogReplayJobStatus, intent: bool) -> WaitsFor {
        let job = course.job();
        let number = job.metadata.resource_version.as_ref().and_then(|v| v.parse().ok()).expect("a version");
        let standing = self.statuses.id(job.status.as_ref().expect("a status"));
        WaitsFor::Write { on: Version { number, status: standing }, status: self.statuses.id(status), intent }
    }
}

/// The clock by which a record of any process would have been first seen when it was written.
fn since_the_record(status: Option<&AuditLogReplayJobStatus>, clock: Clock) -> Clock {
    let intent = status.and_then(|s| s.submission.as_ref()).map(|s| s.intent_time);
    let age = intent.and_then(|intent| (clock.wall - intent).to_std().ok()).unwrap_or_default();
    Clock { mono: clock.mono.saturating_sub(age), ..clock }
}
