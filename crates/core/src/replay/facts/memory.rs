//! What one process remembers of an object between passes. All of it can be lost at any moment: then less is known, more is
//! asked, and nothing is sent that might have been sent already.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::{AuditLogReplayJob, REQUESTED_AT, Submission, TimeRange};
use crate::konnect::{CallError, Certainty, RemoteJob, RemoteStatus, Webhook};
use crate::replay::facts::clock::Clock;
use crate::replay::facts::job::Spec;
use crate::replay::facts::own_writes::OwnWrites;
use crate::replay::facts::policy::{LIMIT_MARGIN, QUIET, UNKNOWN_WORD_PATIENCE};
use crate::replay::facts::record;
use crate::replay::facts::token::TokenProblem;
use crate::replay::facts::window::{self, delta, is_window_of};

/// Longest value of the annotation that is compared.
const REQUESTED_CHARS: usize = 128;

/// What the annotation says by which a user asks to try now, cut to what a status can keep.
pub(crate) fn requested(job: &AuditLogReplayJob) -> Option<String> {
    let value = job.metadata.annotations.as_ref()?.get(REQUESTED_AT)?;
    Some(value.chars().take(REQUESTED_CHARS).collect())
}

/// How far Konnect may move an end of a window by rounding it: to whole days at most.
const LARGEST_ROUNDING: TimeDelta = TimeDelta::hours(24);

/// How a PUT ended.
#[derive(Clone, Debug, PartialEq)]
pub enum PutAnswer {
    /// 2xx with a job that can be the one asked for. Its window is how Konnect shows the run from now on.
    Taken(RemoteJob),
    /// Certainly not taken.
    Refused(CallError),
    /// 2xx, but without such a job: to be settled by reading. Konnect may have sent the events all the same.
    NotShown(String),
    /// The answer was lost, or says nothing: to be settled by reading.
    InDoubt(String),
}

impl PutAnswer {
    /// Reads the result of the PUT that `sent` records.
    pub fn new(sent: &Submission, result: Result<RemoteJob, CallError>) -> Self {
        match result {
            Ok(job) if answers(sent, &job) => Self::Taken(job),
            Ok(_) => Self::NotShown("Konnect took the request, but answered with no replay job of it".to_owned()),
            Err(error) => match (error.certainty(), error.status()) {
                (Certainty::NotTaken, _) => Self::Refused(error),
                (Certainty::Unknown, Some(200..300)) => Self::NotShown(error.to_string()),
                (Certainty::Unknown, _) => Self::InDoubt(error.to_string()),
            },
        }
    }
}

/// Whether the job in a 2xx can be the answer to `sent`. Konnect does not promise to echo the window to the second: it may
/// round it. So any job with a window near the one that was sent counts, except the very job that was read just before: a proxy may have
/// kept that.
fn answers(sent: &Submission, job: &RemoteJob) -> bool {
    let was_there_before = sent.previous.as_ref().map(record::remote_job).as_ref() == Some(job);
    let names_a_run = match &job.status {
        RemoteStatus::Unconfigured => false,
        RemoteStatus::Unknown(word) => !word.is_empty(),
        RemoteStatus::Accepted
        | RemoteStatus::Pending
        | RemoteStatus::Running
        | RemoteStatus::Completed
        | RemoteStatus::Failed => true,
    };
    let is_near = window::of_remote(job).is_some_and(|shown| window::gap(sent.window, shown) <= LARGEST_ROUNDING);
    is_window_of(sent.window, job) || (names_a_run && is_near && !was_there_before)
}

/// How far this process knows a submission to have come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// Found in the object: written by an earlier process, or by another.
    Found,
    /// Written by this process; the PUT has not been begun.
    Unsent,
    /// The PUT was begun; no answer yet.
    Sent,
    /// The PUT was answered.
    Answered(Clock, PutAnswer),
}

#[derive(Clone, Debug, PartialEq)]
struct KnownSubmission {
    id: String,
    first_seen: Duration,
    /// When it was recorded, or a reading showed anything new.
    stirred: Duration,
    progress: Progress,
    /// What the annotation said when it was recorded.
    requested: Option<String>,
}

/// Nothing is to be asked of Konnect until then, for this generation and this value of the annotation.
#[derive(Clone, Debug, PartialEq)]
struct Rest {
    generation: i64,
    requested: Option<String>,
    until: Duration,
}

/// A clock whose readings, taken back to when this process started, have agreed for some time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Steady {
    started: DateTime<Utc>,
    since: Duration,
}

impl Steady {
    /// By how much two readings of one clock may differ and agree.
    const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

    fn at(time: DateTime<Utc>, mono: Duration) -> DateTime<Utc> {
        time.checked_sub_signed(delta(mono)).unwrap_or(time)
    }

    /// With one more reading.
    fn again(before: Option<Self>, time: DateTime<Utc>, mono: Duration) -> Self {
        let started = Self::at(time, mono);
        before.filter(|known| known.agrees(started)).unwrap_or(Self { started, since: mono })
    }

    fn agrees(&self, started: DateTime<Utc>) -> bool {
        (self.started - started).abs() <= Self::TOLERANCE
    }

    /// For how long readings have agreed with `time`.
    fn lasted(steady: Option<Self>, time: DateTime<Utc>, mono: Duration) -> Duration {
        let known = steady.filter(|known| known.agrees(Self::at(time, mono)));
        known.map_or(Duration::ZERO, |known| mono.saturating_sub(known.since))
    }
}

/// Start and end of the window that a reading showed.
type Shown = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Readings in a row that showed the same kind of thing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Streak {
    first: Duration,
    last: Duration,
}

impl Streak {
    fn lasted(streak: Option<Self>) -> Duration {
        streak.map_or(Duration::ZERO, |streak| streak.last.saturating_sub(streak.first))
    }

    fn grown(streak: Option<Self>, now: Duration) -> Self {
        Self { first: streak.map_or(now, |streak| streak.first), last: now }
    }
}

/// What the annotation said by which a user asks to try now; `None` where there was none.
#[derive(Clone, Debug, PartialEq)]
struct Asked(Option<String>);

/// What one process remembers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// What it wrote, and the watch may not have shown yet.
    pub own: OwnWrites,
    submission: Option<KnownSubmission>,
    rest: Option<Rest>,
    /// When a user's wish for a try now last ended a wait.
    hurried: Option<Duration>,
    /// What the annotation said when this pass began.
    requested: Option<String>,
    /// What it said at the last try, or when this process first saw the object: another value is a wish that is still open.
    heard: Option<Asked>,
    failures: u32,
    /// Questions for the token in a row that the apiserver did not answer.
    unanswered: u32,
    /// The clock of this machine.
    wall: Option<Steady>,
    /// Konnect's clock, as long as it is far from that of this machine.
    odd_date: Option<Steady>,
    /// Konnect's job as it was last read.
    last_read: Option<RemoteJob>,
    /// When it was first read so.
    unchanged_since: Duration,
    foreign_ran: bool,
    foreign_ended: Option<Duration>,
    strangers: Option<Streak>,
    shown: Option<Shown>,
    repeats: Option<Streak>,
    other_version: Option<bool>,
    missing_since: Option<Duration>,
    conflicts: u32,
    last_conflict: Option<DateTime<Utc>>,
    /// When this process last made the object say that it is queued.
    said_queued: Option<Duration>,
}

/// The windows whose runs are not another party's: the window of our request, of the run before it, and the window to adopt.
fn known_windows(job: &AuditLogReplayJob, to_adopt: Option<TimeRange>) -> Vec<TimeRange> {
    let submission = job.status.as_ref().and_then(|s| s.submission.as_ref());
    let kept = submission.into_iter().flat_map(|s| s.accepted.iter().chain(&s.previous));
    let kept = kept.filter_map(|kept| Some(TimeRange { start_at: kept.start_at?, end_at: kept.end_at? }));
    kept.chain(submission.map(|s| s.window)).chain(to_adopt).collect()
}

impl Memory {
    /// Takes note of what stands in the object. Called at the beginning of each pass.
    pub fn see(&mut self, job: &AuditLogReplayJob, clock: Clock) {
        self.requested = requested(job);
        self.heard.get_or_insert_with(|| Asked(self.requested.clone()));
        self.wall = Some(Steady::again(self.wall, clock.wall, clock.mono));
        let Some(submission) = job.status.as_ref().and_then(|status| status.submission.as_ref()) else { return };
        if self.first_seen(&submission.id).is_none() {
            self.remember(&submission.id, clock, Progress::Found);
        }
    }

    /// Takes note that an intent of ours is about to be written. Until [`Memory::sending`], its request certainly was not sent.
    pub fn intending(&mut self, id: &str, clock: Clock) {
        self.remember(id, clock, Progress::Unsent);
    }

    /// Takes note that the PUT of `id` is about to be made. From here on only an answer can say what became of it.
    pub fn sending(&mut self, id: &str) {
        self.progress_to(id, Progress::Sent);
    }

    /// Takes note of the answer to the PUT of `id`.
    pub fn answered(&mut self, id: &str, clock: Clock, answer: PutAnswer) {
        if let PutAnswer::Refused(error) = &answer
            && error.status() == Some(409)
        {
            self.conflicts += 1;
            self.last_conflict = Some(clock.stamp());
        }
        self.progress_to(id, Progress::Answered(clock, answer));
    }

    /// Whether somebody has asked for another try since the standing submission was recorded.
    pub(crate) fn was_requested_since(&self, requested: Option<&str>) -> bool {
        self.submission.as_ref().is_some_and(|known| known.requested.as_deref() != requested)
    }

    /// Takes note of a reading of Konnect's job.
    pub fn read_remote(
        &mut self,
        result: Result<&RemoteJob, &CallError>,
        (job, spec): (&AuditLogReplayJob, &Spec),
        clock: Clock,
    ) {
        match result {
            Ok(remote) => self.read_job(remote, &known_windows(job, spec.window_to_adopt()), clock),
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let missing = error.status() == Some(404);
                self.missing_since = if missing { self.missing_since.or(Some(clock.mono)) } else { None };
            }
        }
    }

    /// Takes note of the time that Konnect told at `clock`.
    pub fn hear(&mut self, date: DateTime<Utc>, clock: Clock) {
        let far = (date - clock.wall).abs() > delta(LIMIT_MARGIN);
        self.odd_date = far.then(|| Steady::again(self.odd_date, date, clock.mono));
    }

    /// For how long readings of this machine's clock have agreed with the present one.
    pub(crate) fn clock_agreed_for(&self, clock: Clock) -> Duration {
        Steady::lasted(self.wall, clock.wall, clock.mono)
    }

    /// For how long Konnect has told a time that is far from this machine's and agrees with `date`, told at `clock`.
    pub(crate) fn date_agreed_for(&self, date: DateTime<Utc>, clock: Clock) -> Duration {
        Steady::lasted(self.odd_date, date, clock.mono)
    }

    /// Takes note of a reading of the webhook: one that failed spaces the next calls, as one of the job does. That there is no
    /// webhook (404) is an answer.
    pub fn read_webhook(&mut self, result: Result<&Webhook, &CallError>) {
        if result.is_err_and(|error| error.status() != Some(404)) {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Takes note of a reading of the token's Secret.
    pub fn read_token(&mut self, token: &Result<(), TokenProblem>) {
        let is_unanswered = matches!(token, Err(TokenProblem::SecretUnanswered(_)));
        self.unanswered = if is_unanswered { self.unanswered.saturating_add(1) } else { 0 };
    }

    /// Whether the apiserver failed to answer once, and not yet again.
    pub(crate) fn is_token_late(&self) -> bool {
        self.unanswered == 1
    }

    fn read_job(&mut self, job: &RemoteJob, known: &[TimeRange], clock: Clock) {
        self.failures = 0;
        if self.last_read.as_ref() != Some(job) {
            self.unchanged_since = clock.mono;
            if let Some(submission) = &mut self.submission {
                submission.stirred = clock.mono;
            }
        }
        self.last_read = Some(job.clone());
        self.missing_since = None;
        self.other_version = None;
        let stranger = job.start_at.is_some() && !known.iter().any(|w| is_window_of(*w, job));
        self.strangers = stranger.then(|| Streak::grown(self.strangers, clock.mono));
        let shown = Some((job.start_at, job.end_at));
        let before = self.repeats.filter(|_| self.shown == shown);
        self.repeats = Some(Streak::grown(before, clock.mono));
        self.shown = shown;
        let foreign_runs = stranger && job.status.is_busy();
        if self.foreign_ran && !foreign_runs {
            self.foreign_ended = Some(clock.mono);
        }
        self.foreign_ran = foreign_runs;
    }

    /// Takes note of a reading of Konnect's job under the other version of its API. Only an answer tells whether that version
    /// knows the target: a call that failed, or was refused, does not.
    pub fn read_other_version(&mut self, result: Result<&RemoteJob, &CallError>) {
        match result {
            Ok(_) => self.other_version = Some(true),
            Err(error) if error.status() == Some(404) => self.other_version = Some(false),
            Err(_) => {}
        }
    }

    /// Takes note that nothing is to be asked of Konnect for `wait`, unless the spec (`generation`) changes or somebody asks for a
    /// try.
    pub fn rest(&mut self, generation: i64, clock: Clock, wait: Duration) {
        let until = clock.mono.saturating_add(wait);
        let heard = self.heard.replace(Asked(self.requested.clone()));
        let is_edited = self.rest.as_ref().is_some_and(|before| before.generation != generation);
        if is_edited || heard.is_some_and(|before| before.0 != self.requested) {
            self.hurried = Some(clock.mono);
        }
        self.rest = Some(Rest { generation, requested: self.requested.clone(), until });
    }

    /// How long a wish for a try now has to wait, if tries that were wished for are `floor` apart.
    pub(crate) fn hurry_in(&self, clock: Clock, floor: Duration) -> Duration {
        self.hurried.map_or(Duration::ZERO, |last| (last + floor).saturating_sub(clock.mono))
    }

    /// How long nothing is to be asked of Konnect, from now. A wish for a try now ends the rest, if the last one was `floor` ago.
    pub(crate) fn resting(
        &self,
        generation: i64,
        requested: Option<&str>,
        clock: Clock,
        floor: Duration,
    ) -> Option<Duration> {
        let rest = self.rest.as_ref()?;
        let asked = rest.generation != generation || rest.requested.as_deref() != requested;
        let until = if asked { rest.until.min(clock.mono + self.hurry_in(clock, floor)) } else { rest.until };
        until.checked_sub(clock.mono).filter(|left| !left.is_zero())
    }

    /// How soon the job tries although it was to wait longer, because a user asks for it by the annotation or by an edit of the spec:
    /// at once, and `floor` after the last try that a user asked for. `None` if no user does.
    pub(crate) fn asked_to_try_in(&self, job: &AuditLogReplayJob, clock: Clock, floor: Duration) -> Option<Duration> {
        let generation = job.metadata.generation.unwrap_or_default();
        let is_edited = |rest: &Rest| rest.until > clock.mono && rest.generation != generation;
        let is_asked = self.rest.as_ref().is_some_and(is_edited)
            || self.heard.as_ref().is_some_and(|heard| heard.0 != requested(job));
        is_asked.then(|| self.hurry_in(clock, floor))
    }

    pub(crate) fn first_seen(&self, id: &str) -> Option<Duration> {
        self.submission.as_ref().filter(|s| s.id == id).map(|s| s.first_seen)
    }

    /// Whether nothing new was heard of the submission for so long that others need not wait for it any more.
    pub(crate) fn is_quiet(&self, now: Duration) -> bool {
        self.submission.as_ref().is_some_and(|known| now.saturating_sub(known.stirred) >= QUIET)
    }

    /// How long from now a request may still take effect unseen, if its outcome was never proven and shown in the object: the rest
    /// of the settle time. `None` where nothing is on its way.
    pub fn unsettled(&self, settle_time: Duration, now: Duration) -> Option<Duration> {
        let known = self.submission.as_ref().filter(|known| match &known.progress {
            Progress::Unsent | Progress::Answered(_, PutAnswer::Refused(_)) => false,
            Progress::Found
            | Progress::Sent
            | Progress::Answered(_, PutAnswer::Taken(_) | PutAnswer::NotShown(_) | PutAnswer::InDoubt(_)) => true,
        })?;
        (known.first_seen + settle_time).checked_sub(now).filter(|left| !left.is_zero())
    }

    pub(crate) fn progress(&self, id: &str) -> &Progress {
        self.submission.as_ref().filter(|s| s.id == id).map_or(&Progress::Found, |s| &s.progress)
    }

    /// Readings that failed since the last good one of the job.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether Konnect has said the same for so long, in a word that this version does not know, that it may be the end of a run.
    pub(crate) fn is_stuck_in_an_unknown_word(&self, now: Duration) -> bool {
        let unknown = self.last_read.as_ref().is_some_and(|job| matches!(job.status, RemoteStatus::Unknown(_)));
        unknown && now.saturating_sub(self.unchanged_since) >= UNKNOWN_WORD_PATIENCE
    }

    /// When somebody else's run was first seen to be over, if it was seen to run.
    pub(crate) fn foreign_ended(&self) -> Option<Duration> {
        self.foreign_ended
    }

    /// For how long readings in a row have shown windows of nobody here, or the same window, or none: one alone may be stale.
    pub(crate) fn shown_for(&self) -> Duration {
        Streak::lasted(self.strangers).max(Streak::lasted(self.repeats))
    }

    /// Whether the other version of Konnect's API knows a target that this one does not, if that was asked.
    pub(crate) fn known_under_other_version(&self) -> Option<bool> {
        self.other_version
    }

    /// Since when Konnect says that it does not know the target.
    pub(crate) fn missing_since(&self) -> Option<Duration> {
        self.missing_since
    }

    /// Conflicts that this process counted, with the time of the last.
    pub(crate) fn conflicts(&self) -> (u32, Option<DateTime<Utc>>) {
        (self.conflicts, self.last_conflict)
    }

    /// Takes note that the status now says `conflicts`, so that they are not counted again.
    pub fn conflicts_recorded(&mut self) {
        self.conflicts = 0;
    }

    /// Takes note that this process made the object say that it is queued, and behind what.
    pub(crate) fn said_queued(&mut self, clock: Clock) {
        self.said_queued = Some(clock.mono);
    }

    /// How long the status stays as it is, if it was written less than `spacing` ago. Two operators that work on one object, and see
    /// different reasons to wait, would rewrite it without end.
    pub(crate) fn goes_on_saying_queued(&self, clock: Clock, spacing: Duration) -> Option<Duration> {
        (self.said_queued? + spacing).checked_sub(clock.mono).filter(|left| !left.is_zero())
    }

    fn remember(&mut self, id: &str, clock: Clock, progress: Progress) {
        self.strangers = None;
        self.repeats = None;
        self.shown = None;
        let requested = self.requested.clone();
        let (id, first_seen) = (id.to_owned(), clock.mono);
        self.submission = Some(KnownSubmission { id, first_seen, stirred: first_seen, progress, requested });
    }

    fn progress_to(&mut self, id: &str, progress: Progress) {
        if let Some(known) = self.submission.as_mut().filter(|s| s.id == id) {
            known.progress = progress;
        }
    }
}
