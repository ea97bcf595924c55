//! What a replay job shows: the present view, those before it, and how one is written in an answer.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::behaviour::{Behaviour, Lag};
use crate::model::{Status, Window, earlier};

/// What GET shows of a replay job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobView {
    /// The state.
    pub status: Status,
    /// The window of the last accepted PUT; none while `unconfigured`, and with Q6 after a failure.
    pub window: Option<Window>,
    /// When the status last changed, or with Q5 the last PUT was accepted, by Konnect's clock.
    pub updated_at: Option<DateTime<Utc>>,
}

impl JobView {
    /// The job object on the wire, unset times as zero times.
    pub fn to_json(&self) -> Value {
        render(self, &Behaviour::default())
    }
}

/// Views kept for GETs that are behind; one that reaches further back sees the oldest.
const KEPT: usize = 1_000;

/// The view of a job, and its past.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) view: JobView,
    /// Each earlier view, with when it gave way to the next.
    past: VecDeque<(DateTime<Utc>, JobView)>,
    /// GETs since the list of lags was set.
    gets: usize,
}

impl Shown {
    pub(super) fn change(&mut self, view: JobView, now: DateTime<Utc>) {
        if self.past.len() >= KEPT {
            self.past.pop_front();
        }
        self.past.push_back((now, std::mem::replace(&mut self.view, view)));
    }

    pub(super) fn restart_lag(&mut self) {
        self.gets = 0;
    }

    /// What the next GET sees.
    pub(super) fn look(&mut self, lags: &[Lag], now: DateTime<Utc>) -> JobView {
        let lag = self.gets.checked_rem(lags.len()).and_then(|next| lags.get(next));
        self.gets += 1;
        let seen = match lag {
            None => None,
            Some(Lag::Time(time)) => self.at(earlier(now, *time)),
            Some(Lag::Changes(changes)) => self.before(*changes),
        };
        seen.unwrap_or(&self.view).clone()
    }

    /// The view at an earlier time, unless it is the present one.
    fn at(&self, time: DateTime<Utc>) -> Option<&JobView> {
        self.past.iter().find(|(until, _)| *until > time).map(|(_, view)| view)
    }

    /// The view so many changes ago, unless it is the present one.
    fn before(&self, changes: usize) -> Option<&JobView> {
        let index = (changes > 0).then(|| self.past.len().saturating_sub(changes))?;
        self.past.get(index).map(|(_, view)| view)
    }
}

/// The job object on the wire.
pub(super) fn render(view: &JobView, behaviour: &Behaviour) -> Value {
    let time = |time| Value::from(behaviour.times.write(time));
    let mut job = Map::new();
    job.insert("start_at".to_owned(), time(view.window.map(|window| window.start_at)));
    job.insert("end_at".to_owned(), time(view.window.map(|window| window.end_at)));
    job.insert("status".to_owned(), view.status.as_str().into());
    if let Some(updated_at) = behaviour.updated_at.shown(view.updated_at, behaviour.times) {
        job.insert("updated_at".to_owned(), updated_at.into());
    }
    Value::Object(job)
}
