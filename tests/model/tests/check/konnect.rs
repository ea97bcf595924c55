//! Konnect as far as the protocol can tell it apart: one job per target, and every open question both ways (docs/konnect-api.md 1).

use std::fmt;

use chrono::TimeDelta;
use konnect_replay_core::api::TimeRange;
use konnect_replay_core::konnect::{RemoteJob, RemoteStatus};

use super::time::{Tick, instant};

/// Which object of ours; a small number instead of a name.
pub type Object = usize;

/// A window, as far as windows differ: as which it was first asked for, and by how many seconds it was lengthened since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Which of those that objects ask for; `None` is a window that no object asks for.
    pub of: Option<usize>,
    /// Seconds added at the end.
    pub more: u8,
}

impl Window {
    pub const FOREIGN: Self = Self { of: None, more: 0 };

    /// A window that begins and ends 50 s after that of number 0.
    pub const SHIFTED: usize = 3;

    pub fn asked_as(number: usize) -> Self {
        Self { of: Some(number), more: 0 }
    }

    pub fn range(self) -> TimeRange {
        let (of, shift) = if self.of == Some(Self::SHIFTED) { (Some(0), 50) } else { (self.of, 0) };
        let hours = 30 + 2 * of.map_or(0, |number| 1 + i64::try_from(number).unwrap());
        let start_at = instant(0) - TimeDelta::hours(hours) + TimeDelta::seconds(shift);
        TimeRange { start_at, end_at: start_at + TimeDelta::hours(1) + TimeDelta::seconds(self.more.into()) }
    }

    /// Whether it contains all of `other`.
    pub fn contains(self, other: Self) -> bool {
        let (all, part) = (self.range(), other.range());
        all.start_at <= part.start_at && all.end_at >= part.end_at
    }

    /// The same, back.
    pub fn of_range(range: TimeRange) -> Self {
        let known = [None, Some(0), Some(1), Some(2), Some(Self::SHIFTED)];
        let candidates = known.into_iter().flat_map(|of| (0..60).map(move |more| Self { of, more }));
        candidates.into_iter().find(|window| window.range() == range).expect("a window of the model")
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            None => write!(f, "a foreign window")?,
            Some(Self::SHIFTED) => write!(f, "window 1 and 50 s later")?,
            Some(number) => write!(f, "window {}", number + 1)?,
        }
        if self.more > 0 { write!(f, " and {} s", self.more) } else { Ok(()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// Stands for `pending` too.
    Accepted,
    Running,
    Completed,
    Failed,
}

impl Word {
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Accepted | Self::Running)
    }
}

/// Whose request began a run. Konnect does not tell; only the properties look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Us(Object),
    Outsider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    pub word: Word,
    /// What a GET shows of it.
    pub window: Option<Window>,
    pub updated: Option<Tick>,
    /// The truth: what was asked for, and by whom.
    pub asked: Option<(Window, By)>,
}

impl Job {
    /// A run that somebody else completed before the story begins.
    pub fn foreign() -> Self {
        let asked = Some((Window::FOREIGN, By::Outsider));
        Self { word: Word::Completed, window: Some(Window::FOREIGN), updated: Some(0), asked }
    }

    /// The same run, still under way.
    pub fn running(self) -> Self {
        Self { word: Word::Running, ..self }
    }

    fn begun(window: Window, by: By, now: Tick) -> Self {
        Self { word: Word::Accepted, window: Some(window), updated: Some(now), asked: Some((window, by)) }
    }

    pub fn by(&self) -> Option<By> {
        self.asked.map(|(_, by)| by)
    }

    /// What is read over the wire, with the truth left out.
    pub fn shown(&self) -> Self {
        Self { asked: None, ..*self }
    }

    pub fn remote(&self) -> RemoteJob {
        let range = self.window.map(Window::range);
        RemoteJob {
            status: match self.word {
                Word::Accepted => RemoteStatus::Accepted,
                Word::Running => RemoteStatus::Running,
                Word::Completed => RemoteStatus::Completed,
                Word::Failed => RemoteStatus::Failed,
            },
            start_at: range.map(|r| r.start_at),
            end_at: range.map(|r| r.end_at),
            updated_at: self.updated.map(instant),
        }
    }
}

/// Q1: what a PUT does to a run that is accepted and does not run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnAccepted {
    Replaces,
    Queues,
    Refuses,
}

/// The open questions, answered one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Questions {
    pub q1: OnAccepted,
    /// Q2: another portal's run makes a PUT answer 409 too.
    pub q2_region: bool,
    /// Q5: `updated_at` moves with each status, and not only at a PUT.
    pub q5_moves: bool,
    /// Q6: a failed run keeps its window.
    pub q6_keeps: bool,
}

impl Questions {
    pub const ALL: usize = 24;

    /// Every combination.
    pub fn every() -> impl Iterator<Item = Self> {
        let q1 = [OnAccepted::Replaces, OnAccepted::Queues, OnAccepted::Refuses];
        let both = [false, true];
        q1.into_iter().flat_map(move |q1| {
            both.into_iter().flat_map(move |q2_region| {
                both.into_iter().flat_map(move |q5_moves| {
                    both.into_iter().map(move |q6_keeps| Self { q1, q2_region, q5_moves, q6_keeps })
                })
            })
        })
    }
}

impl fmt::Display for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let q1 = match self.q1 {
            OnAccepted::Replaces => "replaces",
            OnAccepted::Queues => "queues",
            OnAccepted::Refuses => "refuses",
        };
        let q2 = if self.q2_region { "region" } else { "portal" };
        let q5 = if self.q5_moves { "moves" } else { "stays" };
        let q6 = if self.q6_keeps { "keeps" } else { "loses" };
        write!(f, "Q1 {q1}, Q2 {q2}, Q5 {q5}, Q6 {q6}")
    }
}

/// One target, and what else of Konnect matters to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub job: Job,
    /// Q1, queues.
    pub queued: Option<Job>,
    /// What a GET may still show instead, and until when: the job from before the last PUT.
    pub before: Option<(Job, Tick)>,
    /// Another portal of the region has a run.
    pub elsewhere: bool,
}

impl Place {
    pub fn with(job: Job) -> Self {
        Self { job, queued: None, before: None, elsewhere: false }
    }

    /// A PUT takes effect, or is refused with 409 (`None`).
    pub fn put(&mut self, window: Window, by: By, now: Tick, (questions, lag): (Questions, Tick)) -> Option<Job> {
        let run = Job::begun(window, by, now);
        if self.elsewhere || self.job.word == Word::Running {
            return None;
        }
        if self.job.word == Word::Accepted {
            match questions.q1 {
                OnAccepted::Refuses => return None,
                OnAccepted::Queues => {
                    self.queued = Some(run);
                    return Some(run);
                }
                OnAccepted::Replaces => {}
            }
        }
        self.before = Some((self.job, now + lag));
        self.job = run;
        Some(run)
    }

    /// The run goes on to `word`.
    pub fn advance(&mut self, word: Word, now: Tick, questions: Questions) {
        self.job.word = word;
        if questions.q5_moves {
            self.job.updated = Some(now);
        }
        if word == Word::Failed && !questions.q6_keeps {
            self.job.window = None;
        }
    }

    /// A run that was queued takes the place of the one that has ended.
    pub fn promote(&mut self) {
        if let Some(run) = self.queued.take() {
            self.job = run;
        }
    }

    /// What a GET can show now.
    pub fn visible(&self, now: Tick) -> impl Iterator<Item = (Job, bool)> {
        let stale = self.before.filter(|(job, until)| now <= *until && job.shown() != self.job.shown());
        [Some((self.job.shown(), false)), stale.map(|(job, _)| (job.shown(), true))].into_iter().flatten()
    }

    /// Drops what no GET can show any more.
    pub fn forget(&mut self, now: Tick) {
        self.before = self.before.filter(|(_, until)| now <= *until);
    }
}

/// Where the events go, and what becomes of them there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receiver {
    /// Whether the webhook is switched on.
    pub enabled: bool,
    /// It answers each delivery with 403.
    pub refuses: bool,
    /// Which destination the webhook names.
    pub destination: u8,
}

/// What a PUT was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Taken(Job),
    Conflict,
    /// Another error, by its HTTP status.
    Error(u16),
    None,
}

/// A request on its way to Konnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub from: usize,
    pub object: Object,
    pub window: Window,
    pub sent: Tick,
    /// What Konnect has answered, once it has arrived there.
    pub answer: Option<Answer>,
    /// Whether its sender no longer waits: it crashed, or its time was up.
    pub orphan: bool,
}
