//! The state machine of one replay job. Pure: time comes in as an argument, deliveries go out as values.
//!
//! It does not know of other targets: whether the region is free comes in as an argument too (see `world`). Every
//! change of status passes through [`Job::enter`], the one place that decides what `updated_at` and the window show.
//! What a GET sees of it is in `shown`.

mod shown;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

pub use self::shown::JobView;
use self::shown::{Shown, render};
use crate::behaviour::{Behaviour, Q3, Q5, Q6};
use crate::model::{Status, Window};
use crate::record::Run;
use crate::settings::{Q1, Timings};

/// A run has begun: its events are to be sent to whichever webhook is configured now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) run: u64,
    pub(crate) window: Window,
}

/// The PUT was refused because of a run under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// How the delivery of a run ended: events sent, or why not all of them.
pub(crate) type Outcome = Result<usize, String>;

/// The replay job of one target, with all runs it has had.
#[derive(Debug)]
pub(crate) struct Job {
    shown: Shown,
    entered_at: DateTime<Utc>,
    current: Option<u64>,
    queue: VecDeque<u64>,
    runs: Vec<Run>,
    outcome: Option<Outcome>,
    failing: u32,
    manual: bool,
    timings: Timings,
    behaviour: Behaviour,
}

impl Job {
    pub(crate) fn new(timings: Timings, behaviour: Behaviour) -> Self {
        Self {
            shown: Shown::default(),
            entered_at: DateTime::UNIX_EPOCH,
            current: None,
            queue: VecDeque::new(),
            runs: Vec::new(),
            outcome: None,
            failing: 0,
            manual: false,
            timings,
            behaviour,
        }
    }

    pub(crate) fn view(&self) -> &JobView {
        &self.shown.view
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.manual
    }

    pub(crate) fn set_manual(&mut self, manual: bool) {
        self.manual = manual;
    }

    pub(crate) fn set_timings(&mut self, timings: Timings) {
        self.timings = timings;
    }

    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    pub(crate) fn change_behaviour(&mut self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = self.behaviour.clone();
        change(&mut behaviour);
        if behaviour.get_lag != self.behaviour.get_lag {
            self.shown.restart_lag();
        }
        self.behaviour = behaviour;
    }

    /// The body of a GET, which may be behind.
    pub(crate) fn get(&mut self, now: DateTime<Utc>) -> Value {
        let view = self.shown.look(&self.behaviour.get_lag, now);
        render(&view, &self.behaviour)
    }

    /// The body of a PUT's answer.
    pub(crate) fn answer(&self, view: &JobView) -> Value {
        render(view, &self.behaviour)
    }

    pub(crate) fn fail_next(&mut self, runs: u32) {
        self.failing = runs;
    }

    /// Whether a PUT must answer 409 by what is documented: in progress, or in a state nobody knows.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.view().status, Status::Running | Status::Other(_))
    }

    /// Whether a run is waiting to begin.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.view().status, Status::Accepted | Status::Pending) || !self.queue.is_empty()
    }

    /// A PUT whose window is valid. Answers the job it made, which a queued run is not yet for GET.
    pub(crate) fn put(&mut self, window: Window, by: &str, now: DateTime<Utc>, q1: Q1) -> Result<JobView, Busy> {
        if self.is_running() || (self.is_waiting() && q1 == Q1::Refuse) {
            return Err(Busy);
        }
        let waiting = self.is_waiting();
        let number = self.record(window, by, now);
        if waiting && q1 == Q1::Queue {
            self.queue.push_back(number);
        } else {
            self.replace_waiting(number, now);
            self.take(number, now);
        }
        let updated_at = Some(self.behaviour.clock(now));
        Ok(JobView { status: Status::Accepted, window: Some(window), updated_at })
    }

    fn record(&mut self, window: Window, by: &str, now: DateTime<Utc>) -> u64 {
        let number = self.runs.last().map_or(1, |run| run.number + 1);
        self.runs.push(Run {
            number,
            window,
            by: by.to_owned(),
            accepted_at: now,
            started_at: None,
            ended_at: None,
            status: Status::Accepted,
            replaced_by: None,
            events: 0,
            failure: None,
        });
        number
    }

    /// Everything that had not begun gives way to run `number`.
    fn replace_waiting(&mut self, number: u64, now: DateTime<Utc>) {
        let unstarted = |run: &&mut Run| run.number != number && run.ended_at.is_none() && run.started_at.is_none();
        for run in self.runs.iter_mut().filter(unstarted) {
            run.replaced_by = Some(number);
            run.ended_at = Some(now);
        }
        self.queue.clear();
    }

    /// Makes run `number` the job that GET shows.
    fn take(&mut self, number: u64, now: DateTime<Utc>) {
        self.current = Some(number);
        self.outcome = None;
        let (window, put_at) = self.current_run().map(|run| (run.window, run.accepted_at)).unzip();
        let updated_at = put_at.map(|at| self.behaviour.clock(at));
        self.enter(Status::Accepted, JobView { window, updated_at, ..JobView::default() }, now);
    }

    /// Moves on as far as time allows. `region_free` says whether a run may begin now.
    pub(crate) fn tick(&mut self, now: DateTime<Utc>, region_free: bool) -> Tick {
        let mut tick = Tick::default();
        while let Some(status) = self.next_status(now, region_free) {
            tick.moved = true;
            tick.start = self.advance(status, now).or(tick.start);
        }
        tick
    }

    fn next_status(&self, now: DateTime<Utc>, region_free: bool) -> Option<Status> {
        if self.due()? > now {
            return None;
        }
        match &self.view().status {
            Status::Accepted => Some(Status::Pending),
            Status::Pending => region_free.then_some(Status::Running),
            Status::Running => self.outcome.as_ref().map(ended_as),
            Status::Completed | Status::Failed => Some(Status::Accepted),
            Status::Unconfigured | Status::Other(_) => None,
        }
    }

    /// When the next change is due by time alone; none when it waits for something else.
    pub(crate) fn due(&self) -> Option<DateTime<Utc>> {
        let stay = match &self.view().status {
            status if self.manual || self.behaviour.stuck_in.contains(status) => None,
            Status::Accepted => Some(self.timings.accepted),
            Status::Pending => Some(self.timings.pending),
            Status::Running => self.outcome.as_ref().map(|_| self.timings.running),
            Status::Completed | Status::Failed => (!self.queue.is_empty()).then_some(self.timings.ended),
            Status::Unconfigured | Status::Other(_) => None,
        };
        stay.map(|stay| self.entered_at + delta(stay))
    }

    /// Moves to a status at once, by time or by hand. An ended job with a queue takes the next run when moved to `accepted`.
    pub(crate) fn advance(&mut self, status: Status, now: DateTime<Utc>) -> Option<Start> {
        if status == Status::Accepted
            && self.view().status.is_ended()
            && let Some(next) = self.queue.pop_front()
        {
            self.take(next, now);
            return None;
        }
        self.enter(status, self.view().clone(), now);
        (self.view().status == Status::Running).then(|| self.begin(now)).flatten()
    }

    /// The one place where a status changes. `view` has what is shown unless the change shows something else.
    fn enter(&mut self, status: Status, view: JobView, now: DateTime<Utc>) {
        self.entered_at = now;
        if status == Status::Unconfigured {
            self.current = None;
        }
        self.shown.change(self.view_in(status.clone(), view, now), now);
        let failure = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err()).cloned();
        if let Some(run) = self.current_run() {
            run.ended_at = status.is_ended().then_some(now);
            run.failure = (status == Status::Failed).then_some(failure).flatten();
            run.status = status;
        }
    }

    /// What is shown from now on: Q5 and Q6.
    fn view_in(&self, status: Status, mut view: JobView, now: DateTime<Utc>) -> JobView {
        if status == Status::Unconfigured {
            return JobView::default();
        }
        if status == Status::Failed && self.behaviour.q6 == Q6::ClearsWindow {
            view.window = None;
        }
        if self.behaviour.q5 == Q5::EachChange {
            view.updated_at = Some(self.behaviour.clock(now));
        }
        view.status = status;
        view
    }

    /// Begins the current run, once. A run that is told to fail sends nothing.
    fn begin(&mut self, now: DateTime<Utc>) -> Option<Start> {
        let run = self.current_run()?;
        if run.started_at.is_some() {
            return None;
        }
        run.started_at = Some(now);
        let start = Start { run: run.number, window: run.window };
        if self.failing > 0 {
            self.failing -= 1;
            self.outcome = Some(Err("told to fail".to_owned()));
            return None;
        }
        if self.behaviour.q3 == Q3::HandedOver {
            self.outcome = Some(Ok(0));
        }
        Some(start)
    }

    /// The delivery of a run is over. A run that is no longer the current one only has its count noted.
    pub(crate) fn delivered(&mut self, number: u64, outcome: Outcome) {
        if let (Some(run), Ok(events)) = (self.runs.iter_mut().find(|run| run.number == number), &outcome) {
            run.events = *events;
        }
        if self.current == Some(number) && self.outcome.is_none() {
            self.outcome = Some(outcome);
        }
    }

    fn current_run(&mut self) -> Option<&mut Run> {
        let number = self.current?;
        self.runs.iter_mut().find(|run| run.number == number)
    }
}

/// What one tick did.
#[derive(Debug, Default)]
pub(crate) struct Tick {
    /// Something changed.
    pub(crate) moved: bool,
    /// A run has begun.
    pub(crate) start: Option<Start>,
}

fn ended_as(outcome: &Outcome) -> Status {
    if outcome.is_ok() { Status::Completed } else { Status::Failed }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
