//! One process: scheduler, memory and running passes, as the binary has them. The code is the core's; what stands here is the part of
//! the driver, `src/controller/pass.rs`, that makes the calls. A pass stops wherever it waits for the world.

use chrono::TimeDelta;
use konnect_replay_model::api::{AuditLogReplayJob, AuditLogReplayJobStatus};
use konnect_replay_model::konnect::{ApiError, CallError, Reading, Webhook, WebhookStatus};
use konnect_replay_model::replay::{
    Candidate, Clock, Course, Draw, FirstSight, Memory, OwnWrites, Policy, PutAnswer, Scheduler, Sibling, Step,
    ValidatedJob, WaitCause, WebhookReading, Woken, is_finished, is_under_way, replayed_window,
};

use super::cluster::{StatusId, Statuses, Version};
use super::flaw::Flaw;
use super::konnect::{Answer, Job, Object, Receiver, Window};
use super::layout::Layout;
use super::time::{Tick, clock};

/// As in the driver.
const MAX_STEPS: usize = 32;
/// As in the driver.
const MAX_CONFLICTS: u8 = 3;

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
    memory: Memory,
    own: OwnWrites,
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
    fn new(cached: Version) -> Self {
        Self {
            cached,
            memory: Memory::default(),
            own: OwnWrites::default(),
            pass: None,
            gone: false,
            drawn: 0,
            patient_since: None,
        }
    }
}

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
struct Turn<'a> {
    process: &'a mut Process,
    object: Object,
    now: Tick,
    rules: &'a Rules,
}

impl Turn<'_> {
    fn take(mut self, input: Input) {
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

    fn pass(&mut self) -> &mut Pass {
        self.kept().pass.as_mut().expect("a pass")
    }

    fn clock(&self) -> Clock {
        let now = match &self.process.kept[self.object].pass {
            Some(Pass { read: Some(look), .. }) if self.rules.has(Flaw::TrustsTheReading) => look.at,
            _ => self.now,
        };
        clock(now, self.process.ahead)
    }

    fn begin(&mut self, version: Version) {
        let (object, clock) = (self.object, self.clock());
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { cached, memory, own, pass, .. } = &mut kept[object];
        *cached = version;
        let job = own.newest(&self.rules.statuses.object(object, version));
        let seen =
            if self.rules.has(Flaw::ComparesClocks) { since_the_record(job.status.as_ref(), clock) } else { clock };
        let (course, _) = Course::begin(job, memory, scheduler, &self.rules.policy, seen);
        *pass = Some(Pass { course, conflicts: 0, waits_for: WaitsFor::GoingOn, read: None });
        self.go_on();
    }

    fn read(&mut self, job: Job, hides_outsider: bool) {
        let (object, clock, now) = (self.object, self.clock(), self.now);
        let what = Ok(Reading { value: job.remote(), date: Some(super::time::instant(now)) });
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass, .. } = &mut kept[object];
        let pass = pass.as_mut().expect("a pass");
        pass.read = Some(Look { at: now, busy: job.word.is_busy(), hides_outsider });
        let _: Woken = pass.course.remote((clock, clock), what, memory, scheduler, &self.rules.policy);
        self.go_on();
    }

    fn read_fails(&mut self, status: u16) {
        let (object, clock) = (self.object, self.clock());
        let what = Err(CallError::Api(ApiError { status, ..ApiError::default() }));
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass, .. } = &mut kept[object];
        let pass = pass.as_mut().expect("a pass");
        let _: Woken = pass.course.remote((clock, clock), what, memory, scheduler, &self.rules.policy);
        self.go_on();
    }

    fn webhook(&mut self, receiver: Receiver) {
        // With this flaw all destinations are one.
        let destination = if self.rules.has(Flaw::TrustsTheReceiver) { 0 } else { receiver.destination };
        let receiver = Receiver { destination, ..receiver };
        let (object, clock) = (self.object, self.clock());
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass, .. } = &mut kept[object];
        let pass = pass.as_mut().expect("a pass");
        let what = webhook(receiver, self.now);
        let _: Woken = pass.course.webhook((clock, clock), what, memory, scheduler, &self.rules.policy);
        self.go_on();
    }

    /// What the driver does when its object is gone, be it that a watch says so or that a write is answered so (`vanished.rs`).
    fn forget(&mut self) {
        let (object, now) = (self.object, self.clock().mono);
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { cached, memory, pass, drawn, .. } = &kept[object];
        let job = pass.as_ref().map_or_else(
            || self.rules.statuses.object(object, *cached),
            |pass| pass.course.job().clone(),
        );
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
        let Kept { memory, own, pass: slot, .. } = &mut self.process.kept[object];
        let pass = slot.as_mut().expect("a pass");
        match written {
            Written::Done(version) => {
                let was_intent = matches!(pass.waits_for, WaitsFor::Write { intent: true, .. });
                pass.course.wrote(self.rules.statuses.object(object, version), own, memory, clock);
                pass.waits_for = WaitsFor::GoingOn;
                if !was_intent {
                    self.go_on();
                }
            }
            Written::Overtaken(version) if pass.conflicts < MAX_CONFLICTS => {
                pass.conflicts += 1;
                let newest = self.rules.statuses.object(object, version);
                let mut nothing = OwnWrites::default();
                let note = if self.rules.has(Flaw::ForgetsRefusals) { &mut nothing } else { own };
                pass.course.overtaken(newest, note, memory, clock);
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
                self.process.kept[object].pass = None;
            }
        }
    }

    fn interrupted(&mut self) {
        let (policy, now) = (&self.rules.policy, self.clock().mono);
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass, .. } = &kept[self.object];
        let pass = pass.as_ref().expect("a pass");
        let _: Woken = pass.course.interrupted(false, memory, scheduler, policy, now);
    }

    fn answered(&mut self, answer: Answer) {
        let clock = self.clock();
        let flaw = self.rules.has(Flaw::SendsAgainBlindly);
        let (object, policy) = (self.object, &self.rules.policy);
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass, .. } = &mut kept[object];
        let pass = pass.as_ref().expect("a pass");
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
        let _: Woken = pass.course.answered(&id, answer, memory, scheduler, policy, clock);
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
        let Kept { memory, pass, drawn, .. } = &self.process.kept[object];
        let submission_id = format!("{which}.{incarnation}.{object}.{drawn}");
        pass.as_ref().expect("a pass").course.next(
            memory,
            &self.rules.policy,
            clock,
            &Draw { jitter: 0.0, submission_id },
        )
    }

    fn perform(&mut self, step: Step) -> Outcome {
        let (object, clock, now) = (self.object, self.clock(), self.now);
        let policy = &self.rules.policy;
        let Process { scheduler, kept, .. } = &mut *self.process;
        let Kept { memory, pass: slot, drawn, .. } = &mut kept[object];
        let pass = slot.as_mut().expect("a pass");
        match step {
            Step::TakeTurn if self.rules.flaw == Some(Flaw::SkipsReservation) => {
                let _: Woken = pass.course.take_turn(memory, &mut Scheduler::new(policy), policy, clock);
                Outcome::Go
            }
            Step::TakeTurn => {
                let _: Woken = pass.course.take_turn(memory, scheduler, policy, clock);
                Outcome::Go
            }
            Step::ReadSiblings => {
                let siblings = siblings(self.rules, kept, object);
                kept[object].pass.as_mut().expect("a pass").course.siblings(siblings);
                Outcome::Go
            }
            Step::ReadToken => {
                let _: Woken = pass.course.token(Ok(()), memory, scheduler, policy, clock.mono);
                Outcome::Go
            }
            Step::ReadWebhook { .. } if self.rules.layout.has_webhooks() => Outcome::Wait(WaitsFor::Webhook),
            Step::ReadWebhook { .. } => {
                let what = webhook_that_works();
                let _: Woken = pass.course.webhook((clock, clock), what, memory, scheduler, policy);
                Outcome::Go
            }
            // For the message alone: both versions are asked for nothing else where the spec names one.
            Step::ReadOtherVersion => {
                let what = Err(CallError::Api(ApiError { status: 404, ..ApiError::default() }));
                pass.course.other_version(what, memory);
                Outcome::Go
            }
            Step::Delete => panic!("no object has a time to live"),
            Step::ReadRemoteJob => Outcome::Wait(WaitsFor::Reading),
            Step::WriteIntent(mut status) => {
                *drawn = drawn.wrapping_add(1);
                pass.course.intending(&status, memory, clock);
                if self.rules.flaw == Some(Flaw::ForgetsPrevious) {
                    status.submission.as_mut().expect("an intent").previous = None;
                }
                Outcome::Wait(self.rules.write(&pass.course, &status, true))
            }
            Step::WriteStatus(status) => Outcome::Wait(self.rules.write(&pass.course, &status, false)),
            Step::Submit { id, window } => {
                memory.sending(&id);
                Outcome::Wait(WaitsFor::Answer { window: Window::of_range(window), sent: now })
            }
            Step::Wait { .. } | Step::AwaitChange => {
                let _: Woken = pass.course.end(&step, memory, scheduler, policy, clock);
                let candidate = pass.course.candidate(policy);
                let job = self.rules.flaw.map(|_| pass.course.job().clone());
                *slot = None;
                self.lies_at_the_end(&step, job, candidate);
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

impl Turn<'_> {
    /// Flaws of what stays reserved after a pass, and of what it tells of others.
    fn lies_at_the_end(&mut self, step: &Step, job: Option<AuditLogReplayJob>, who: Option<Candidate>) {
        let (object, now, mono) = (self.object, self.now, self.clock().mono);
        let (Step::Wait { cause, wait }, Some(flaw), Some(who)) = (step, self.rules.flaw, who) else { return };
        let job = job.as_ref().expect("a pass");
        let stays = match flaw {
            Flaw::KeepsTheLane => {
                matches!(cause, WaitCause::Conflict | WaitCause::PutRefused | WaitCause::NotTaken | WaitCause::Retry)
            }
            Flaw::KeepsAQuietTarget => is_under_way(job),
            Flaw::BeginsPatienceAnew if *cause == WaitCause::RemoteJob => {
                let since = *self.process.kept[object].patient_since.get_or_insert(now);
                let is_patient = now - since < PATIENCE;
                if !is_patient {
                    self.process.kept[object].patient_since = None;
                }
                is_patient
            }
            Flaw::SharesWhatOneFound => {
                self.shares(*cause, *wait);
                false
            }
            _ => false,
        };
        if stays {
            let _: Woken = self.process.scheduler.reserve(&who, mono);
        }
    }

    /// What a GET of one job has found is reported for all others of its target, and lasts longer for them: so the one that found it
    /// looks again before they may.
    fn shares(&mut self, cause: WaitCause, wait: std::time::Duration) {
        if !matches!(cause, WaitCause::Portal | WaitCause::Webhook | WaitCause::Credentials) {
            return;
        }
        let (object, mono) = (self.object, self.clock().mono);
        let slot = self.rules.layout.slot(object);
        let others = (0..self.process.kept.len()).filter(|other| *other != object);
        for other in others.filter(|other| self.rules.layout.slot(*other) == slot) {
            let job = self.rules.statuses.object(other, self.process.kept[other].cached);
            if let Some(who) = Candidate::of(&job, &self.rules.policy).filter(|_| !is_finished(&job)) {
                let longer = wait + super::time::STEP * 2;
                let _: Woken = self.process.scheduler.failed(&who, WaitCause::Portal, longer, mono);
            }
        }
    }
}

/// The Complete objects whose records show all of a window replayed, as the watch has shown them.
fn siblings(rules: &Rules, kept: &[Kept], object: Object) -> Vec<Sibling> {
    let job = rules.statuses.object(object, kept[object].cached);
    let validated = ValidatedJob::new(&job, &rules.policy).expect("a job of the model is valid");
    let others = kept.iter().enumerate().filter(|(other, kept)| *other != object && !kept.gone);
    let shown = others.map(|(other, kept)| distorted(rules, rules.statuses.object(other, kept.cached)));
    // As the index of the driver does.
    let covers = |other: &AuditLogReplayJob| {
        replayed_window(other)
            .is_some_and(|w| w.start_at <= validated.window.start_at && w.end_at >= validated.window.end_at)
    };
    let at_the_target = |other: &AuditLogReplayJob| {
        ValidatedJob::new(other, &rules.policy).is_ok_and(|other| other.target_key() == validated.target_key())
    };
    shown.filter(covers).filter(at_the_target).filter_map(|other| Sibling::of(&other, &rules.policy)).collect()
}

/// What a flawed core would take the record of a Complete object for.
fn distorted(rules: &Rules, mut other: AuditLogReplayJob) -> AuditLogReplayJob {
    let Some(status) = &mut other.status else { return other };
    if rules.has(Flaw::TrustsTheReceiver) {
        if let Some(webhook) = &mut status.webhook {
            webhook.last_response_code = Some(200);
        }
    }
    if rules.has(Flaw::CountsAboutTheSame) {
        let a_minute = TimeDelta::seconds(59);
        if let Some(run) = &mut status.konnect {
            run.start_at = run.start_at.map(|start| start - a_minute);
            run.end_at = run.end_at.map(|end| end + a_minute);
        }
    }
    other
}

/// How long a job with [`Flaw::BeginsPatienceAnew`] keeps its lane.
const PATIENCE: Tick = 12;

/// What the webhook's endpoints say while the receiver is so.
fn webhook(receiver: Receiver, now: Tick) -> WebhookReading {
    let config = Webhook {
        enabled: Some(receiver.enabled),
        audit_log_destination_id: Some(format!("destination-{}", receiver.destination)),
        ..Webhook::default()
    };
    let status = WebhookStatus {
        webhook_enabled: Some(receiver.enabled),
        last_response_code: Some(if receiver.refuses { 403 } else { 200 }),
        last_attempt_at: Some(super::time::instant(now)),
        ..WebhookStatus::default()
    };
    WebhookReading { config: Ok(config), status: Some(status) }
}

/// A webhook that works, where nothing else is this model's matter.
fn webhook_that_works() -> WebhookReading {
    let config = Webhook { enabled: Some(true), ..Webhook::default() };
    let status =
        WebhookStatus { webhook_enabled: Some(true), last_response_code: Some(200), ..WebhookStatus::default() };
    WebhookReading { config: Ok(config), status: Some(status) }
}
