//! Any object, with anything learned and remembered around it, asked of [`next`]: an answer (no panic), no request that is not
//! recorded and based on a fresh reading of a free target (invariant I2), and no endless writing (I8).
//!
//! The input is an object as JSON, a zero byte, and bytes from which everything around it is drawn. So the seeds are objects as
//! `kubectl get -o json` prints them.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use chrono::{DateTime, TimeDelta, Utc};
use konnect_replay_core::api::{
    AuditLogReplayJob, AuditLogReplayJobStatus, ConditionStatus, ConditionType, MAX_MESSAGE_CHARS, SubmissionState,
    TimeRange,
};
use konnect_replay_core::konnect::{ApiError, CallError, Reading, RemoteJob, TokenError, Webhook, WebhookStatus};
use konnect_replay_core::replay::{
    Clock, Draw, Learned, Memory, Observed, Policy, PutAnswer, Seen, Serialize, Spec, Step, TokenProblem, Turn,
    VersionChoice, WaitCause, WebhookReading, is_finished, next, reserves,
};
use serde_json::Value;

/// 2026-11-21T12:00:00Z, around which the times of the seeds lie.
const NOON: i64 = 1_795_262_400;
/// The id that a recorded submission gets here.
const FRESH: &str = "fresh";
/// Writes in a row without anything learned between them. A first visit and a run just found to be ours take two each.
const MOST_WRITES: usize = 8;

/// Asks about the object that `data` holds until the pass would ask or wait.
pub fn check(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (json, rest) = data.split_at(at);
    let Ok(json) = serde_json::from_slice::<Value>(json) else { return };
    if !years_have_four_digits(&json) {
        return;
    }
    let Ok(mut job) = serde_json::from_value::<AuditLogReplayJob>(json) else { return };
    let Ok(around) = Around::arbitrary_take_rest(Unstructured::new(rest.get(1..).unwrap_or_default())) else { return };
    let mut world = World::new(&around, &job);
    let mut memory = world.memory(&around, &job);
    for _ in 0..MOST_WRITES {
        let version = VersionChoice::of(&job).asked_first();
        let step = world.ask(&job, &memory);
        let _ = reserves(&job, &memory, world.clock.mono);
        match step {
            Step::WriteIntent(status) => {
                memory.intending(FRESH, world.clock);
                job.status = Some(stored(&status));
            }
            Step::WriteStatus(status) => {
                well_said(&job, &status);
                job.status = Some(stored(&status));
                memory.conflicts_recorded();
            }
            Step::Submit { id, window } => return world.may_be_sent(&job, &id, window),
            _ => return,
        }
        if VersionChoice::of(&job).asked_first() != version {
            world.learned.forget_konnect();
        }
    }
    panic!("it writes without end");
}

/// Years of more digits begin with a sign. The API server keeps them out of an object: the CRD gives times the format `date-time`.
fn years_have_four_digits(json: &Value) -> bool {
    match json {
        Value::String(text) => !text.starts_with(['+', '-']),
        Value::Array(items) => items.iter().all(years_have_four_digits),
        Value::Object(fields) => fields.values().all(years_have_four_digits),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// What is written is read back as it was meant.
fn stored(status: &AuditLogReplayJobStatus) -> AuditLogReplayJobStatus {
    let json = serde_json::to_vec(status).expect("a status can be written");
    serde_json::from_slice(&json).expect("a status can be read back")
}

fn well_said(job: &AuditLogReplayJob, status: &AuditLogReplayJobStatus) {
    if is_finished(job) {
        return;
    }
    let on = |type_: &ConditionType| {
        status.conditions.iter().any(|c| c.type_ == *type_ && c.status == ConditionStatus::True)
    };
    assert!(!(on(&ConditionType::Complete) && on(&ConditionType::Failed)), "{status:?}");
    assert!(!(on(&ConditionType::Reconciling) && on(&ConditionType::Stalled)), "{status:?}");
    for condition in &status.conditions {
        let long = condition.message.chars().count() > MAX_MESSAGE_CHARS;
        assert!(!long && !condition.message.chars().any(char::is_control), "{condition:?}");
    }
}

/// Everything around an object, as numbers.
#[derive(Arbitrary, Debug)]
struct Around {
    wall: i32,
    mono: u32,
    jitter: u8,
    by_portal: bool,
    turn: Option<AnyTurn>,
    token: Option<bool>,
    webhook: Option<(i8, Result<(Option<bool>, Option<u16>), AnyError>)>,
    remote: Option<(i8, Option<i16>, Result<AnyJob, AnyError>)>,
    siblings: bool,
    other_version: Option<Result<AnyJob, AnyError>>,
    pasts: Vec<(u8, Past)>,
}

#[derive(Arbitrary, Debug)]
enum AnyTurn {
    Ours,
    Behind,
    Later,
    HeldBack(bool),
    NotYet(u16),
}

#[derive(Arbitrary, Debug)]
enum AnyError {
    NotConnected,
    NoAnswer,
    Unreadable,
    Status(u16, Option<u16>),
}

/// Konnect's job: a word, and a window of which most that matter are ones that the object knows.
#[derive(Arbitrary, Debug)]
struct AnyJob {
    word: Word,
    window: AnyWindow,
    updated: Option<i16>,
}

#[derive(Arbitrary, Debug)]
enum Word {
    Unconfigured,
    Accepted,
    Pending,
    Running,
    Completed,
    Failed,
    Odd,
}

#[derive(Arbitrary, Debug)]
enum AnyWindow {
    None,
    Recorded(i8),
    Previous,
    Asked(i8),
    Other(i32, i32),
}

/// What this process did with the standing submission, and read.
#[derive(Arbitrary, Debug)]
enum Past {
    Seen,
    Recorded,
    Sending,
    Answered(Result<AnyJob, AnyError>),
    Read(Result<AnyJob, AnyError>),
    ReadWebhook(Result<Option<bool>, AnyError>),
    OtherVersion(Result<AnyJob, AnyError>),
    Rested(u16),
}

struct World {
    policy: Policy,
    clock: Clock,
    learned: Learned,
    draw: Draw,
}

impl World {
    fn new(around: &Around, job: &AuditLogReplayJob) -> Self {
        let wall = DateTime::from_timestamp(NOON + i64::from(around.wall), 0).unwrap_or_default();
        let clock = Clock { wall, mono: Duration::from_secs(around.mono.into()) };
        let policy = policy(around.by_portal);
        let draw = Draw { jitter: f64::from(around.jitter) / 255.0, submission_id: FRESH.to_owned() };
        Self { learned: learned(around, clock, job), policy, clock, draw }
    }

    fn memory(&self, around: &Around, job: &AuditLogReplayJob) -> Memory {
        let id = job.status.as_ref().and_then(|s| s.submission.as_ref()).map(|s| s.id.clone()).unwrap_or_default();
        let mut memory = Memory::default();
        for (age, past) in &around.pasts {
            let at = ago(self.clock, i64::from(*age));
            match past {
                Past::Seen => memory.see(job, at),
                Past::Recorded => memory.intending(&id, at),
                Past::Sending => memory.sending(&id),
                Past::Answered(answer) => {
                    if let Some(sent) = job.status.as_ref().and_then(|status| status.submission.as_deref()) {
                        memory.answered(&id, at, PutAnswer::new(sent, answer_of(answer, job)));
                    }
                }
                Past::Read(answer) => {
                    memory.read_remote(answer_of(answer, job).as_ref(), (job, &Spec::of(job, &self.policy)), at);
                }
                Past::ReadWebhook(answer) => {
                    let answer = answer.as_ref().map(|on| webhook(*on)).map_err(error);
                    memory.read_webhook(answer.as_ref());
                }
                Past::OtherVersion(answer) => memory.read_other_version(answer_of(answer, job).as_ref()),
                Past::Rested(wait) => {
                    let generation = job.metadata.generation.unwrap_or_default();
                    memory.rest(generation, at, Duration::from_secs(u64::from(*wait)));
                }
            }
        }
        memory.see(job, self.clock);
        memory
    }

    fn ask(&self, job: &AuditLogReplayJob, memory: &Memory) -> Step {
        let Self { clock, policy, learned, draw, .. } = self;
        next(&Observed { clock: *clock, policy, job, spec: &Spec::of(job, policy), learned, memory, draw })
    }

    /// A request is recorded, it is our turn, and Konnect's job was read as free, with another window, at most 10 s ago.
    fn may_be_sent(&self, job: &AuditLogReplayJob, id: &str, sent: TimeRange) {
        assert!(!job.spec.suspend && job.metadata.deletion_timestamp.is_none() && !is_finished(job));
        assert!(self.policy.regions.contains(&job.spec.target.region), "a region that is not allowed");
        let recorded = job.status.as_ref().and_then(|s| s.submission.as_ref()).expect("a request without a record");
        assert_eq!((recorded.id.as_str(), recorded.window), (id, sent), "only what is recorded is sent");
        assert_eq!(recorded.state, SubmissionState::Intended);
        assert_eq!((&self.learned.turn, &self.learned.token), (&Some(Turn::Ours), &Some(Ok(()))));
        let seen = self.learned.remote.as_ref().expect("a request without a reading");
        let reading = seen.what.as_ref().expect("a request after a reading that failed");
        assert!(!reading.value.status.is_busy(), "a request onto a busy target: {reading:?}");
        let wall = (self.clock.wall - seen.at.wall).num_seconds();
        assert!((0..=10).contains(&wall), "a reading {wall} s old by the wall clock");
        let mono = self.clock.mono.saturating_sub(seen.at.mono);
        assert!(mono <= Duration::from_secs(10), "a reading {mono:?} old by the monotonic clock");
        let shown = (reading.value.start_at, reading.value.end_at);
        assert_ne!(shown, (Some(sent.start_at), Some(sent.end_at)), "two runs could not be told apart");
    }
}

fn policy(by_portal: bool) -> Policy {
    Policy {
        regions: ["us", "eu"].map(str::to_owned).to_vec(),
        serialize: if by_portal { Serialize::Portal } else { Serialize::Region },
        ..Policy::default()
    }
}

fn ago(now: Clock, seconds: i64) -> Clock {
    let mono = now.mono.as_secs().saturating_add_signed(-seconds);
    Clock { wall: now.wall - TimeDelta::seconds(seconds), mono: Duration::from_secs(mono) }
}

fn learned(around: &Around, now: Clock, job: &AuditLogReplayJob) -> Learned {
    let webhook = around.webhook.as_ref().map(|(age, what)| Seen {
        at: ago(now, i64::from(*age)),
        what: WebhookReading {
            config: what.as_ref().map(|(on, _)| webhook(*on)).map_err(error),
            status: what.as_ref().ok().map(|(_, code)| deliveries(*code)),
        },
    });
    let remote = around.remote.as_ref().map(|(age, skew, what)| {
        let date = skew.map(|skew| now.wall + TimeDelta::seconds(i64::from(skew)));
        Seen { at: ago(now, i64::from(*age)), what: answer_of(what, job).map(|value| Reading { value, date }) }
    });
    let other = around.other_version.as_ref().map(|what| answer_of(what, job));
    Learned {
        turn: around.turn.as_ref().map(turn),
        token: around.token.map(|good| if good { Ok(()) } else { Err(TokenProblem::Invalid(TokenError::Empty)) }),
        webhook,
        remote,
        other_version: other.map(|what| what.map(|value| Reading { value, date: None })),
        siblings: around.siblings.then(Vec::new),
        unstored: false,
    }
}

fn turn(turn: &AnyTurn) -> Turn {
    let blocked_by = "other".to_owned();
    match turn {
        AnyTurn::Ours => Turn::Ours,
        AnyTurn::Behind => Turn::Behind { blocked_by },
        AnyTurn::Later => Turn::Later,
        AnyTurn::HeldBack(by_itself) => {
            Turn::HeldBack { blocked_by: (!by_itself).then_some(blocked_by), cause: WaitCause::Webhook }
        }
        AnyTurn::NotYet(seconds) => Turn::NotYet { wait: Duration::from_secs(u64::from(*seconds)) },
    }
}

fn webhook(enabled: Option<bool>) -> Webhook {
    Webhook { enabled, ..Webhook::default() }
}

fn deliveries(code: Option<u16>) -> WebhookStatus {
    WebhookStatus { last_response_code: code.map(Into::into), ..WebhookStatus::default() }
}

fn error(error: &AnyError) -> CallError {
    match error {
        AnyError::NotConnected => CallError::NotConnected("refused".to_owned()),
        AnyError::NoAnswer => CallError::NoAnswer("late".to_owned()),
        AnyError::Unreadable => CallError::Unreadable { status: 200, why: "a page".to_owned() },
        AnyError::Status(status, retry_after) => CallError::Api(ApiError {
            status: 300 + status % 300,
            retry_after: retry_after.map(|seconds| Duration::from_secs(u64::from(seconds) % 901)),
            ..ApiError::default()
        }),
    }
}

fn answer_of(answer: &Result<AnyJob, AnyError>, job: &AuditLogReplayJob) -> Result<RemoteJob, CallError> {
    answer.as_ref().map(|any| remote_job(any, job)).map_err(error)
}

fn remote_job(any: &AnyJob, job: &AuditLogReplayJob) -> RemoteJob {
    let word = match any.word {
        Word::Unconfigured => "unconfigured",
        Word::Accepted => "accepted",
        Word::Pending => "pending",
        Word::Running => "running",
        Word::Completed => "completed",
        Word::Failed => "failed",
        Word::Odd => "odd",
    };
    let window = known(job, &any.window);
    RemoteJob {
        status: word.to_owned().into(),
        start_at: window.map(|w| w.start_at),
        end_at: window.map(|w| w.end_at),
        updated_at: any.updated.and_then(|seconds| DateTime::from_timestamp(NOON + i64::from(seconds), 0)),
    }
}

/// One of the windows that the object knows, or another.
fn known(job: &AuditLogReplayJob, which: &AnyWindow) -> Option<TimeRange> {
    let submission = || job.status.as_ref()?.submission.as_ref();
    let longer = |window: TimeRange, by: i8| {
        let end_at = window.end_at.checked_add_signed(TimeDelta::seconds(i64::from(by)))?;
        Some(TimeRange { end_at, ..window })
    };
    match which {
        AnyWindow::None => None,
        AnyWindow::Recorded(by) => longer(submission()?.window, *by),
        AnyWindow::Previous => {
            let previous = submission()?.previous.as_ref()?;
            Some(TimeRange { start_at: previous.start_at?, end_at: previous.end_at? })
        }
        AnyWindow::Asked(by) => {
            let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
            let window = &job.spec.window;
            longer(TimeRange { start_at: time(&window.start_at)?, end_at: time(&window.end_at)? }, *by)
        }
        AnyWindow::Other(start, length) => {
            let at = |seconds: i64| DateTime::from_timestamp(NOON + seconds, 0);
            let start = i64::from(*start);
            Some(TimeRange { start_at: at(start)?, end_at: at(start + i64::from(*length))? })
        }
    }
}
