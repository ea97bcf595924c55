//! Which way each open question goes, and how a replay job misbehaves: for one target, or for all.

use chrono::TimeDelta;

use super::Emulator;
use crate::Error;
use crate::behaviour::{Behaviour, Lag, Q3, Q4, Q5, Q6, TimeFormat, UpdatedAt};
use crate::model::{Status, TargetKey};
use crate::settings::{Q1, Q2};

/// Behaviour of all targets, those to come included. The last change wins, whether of all or of one.
impl Emulator {
    /// Changes the behaviour of every target.
    pub fn change_every_behaviour(&self, change: impl Fn(&mut Behaviour)) {
        self.handle.update(|world| world.change_behaviour(change));
    }

    /// Answers open question 1 from now on.
    pub fn set_q1(&self, q1: Q1) {
        self.handle.update(|world| world.q1 = q1);
    }

    /// Answers open question 2 from now on.
    pub fn set_q2(&self, q2: Q2) {
        self.handle.update(|world| world.q2 = q2);
    }

    /// Answers open question 3 for runs that begin from now on.
    pub fn set_q3(&self, q3: Q3) {
        self.change_every_behaviour(|behaviour| behaviour.q3 = q3);
    }

    /// Answers open question 4 from now on.
    pub fn set_q4(&self, q4: Q4) {
        self.change_every_behaviour(|behaviour| behaviour.q4 = q4);
    }

    /// Answers open question 5 from now on.
    pub fn set_q5(&self, q5: Q5) {
        self.change_every_behaviour(|behaviour| behaviour.q5 = q5);
    }

    /// Answers open question 6 for runs that fail from now on.
    pub fn set_q6(&self, q6: Q6) {
        self.change_every_behaviour(|behaviour| behaviour.q6 = q6);
    }

    /// Sets how much Konnect's clock is ahead, everywhere: the `Date` header, `updated_at`, the limits of a window.
    pub fn set_clock_offset(&self, ahead: TimeDelta) {
        self.change_every_behaviour(|behaviour| behaviour.clock_offset = ahead);
    }
}

/// Behaviour of one target.
impl Emulator {
    /// The behaviour of a target.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn behaviour(&self, key: &TargetKey) -> Result<Behaviour, Error> {
        self.handle.look(key, |target| target.job.behaviour().clone())
    }

    /// Changes the behaviour of a target.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn change_behaviour(&self, key: &TargetKey, change: impl FnOnce(&mut Behaviour)) -> Result<(), Error> {
        self.handle.update(|world| world.target_mut(key).map(|target| target.job.change_behaviour(change)))
    }

    /// Sets how far behind each GET of the job is: one entry a GET, from the start again after the last. `[Lag::Changes(0),
    /// Lag::Changes(1)]` makes every second GET show an older state than the one before. None: never behind.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_get_lag(&self, key: &TargetKey, lags: impl IntoIterator<Item = Lag>) -> Result<(), Error> {
        let lags = lags.into_iter().collect();
        self.change_behaviour(key, |behaviour| behaviour.get_lag = lags)
    }

    /// Makes the job hang in these states; an empty list releases it, and it moves on when its time there has passed.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_stuck(&self, key: &TargetKey, states: impl IntoIterator<Item = Status>) -> Result<(), Error> {
        let states = states.into_iter().collect();
        self.change_behaviour(key, |behaviour| behaviour.stuck_in = states)
    }

    /// Bends what the answers show as `updated_at`.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_updated_at(&self, key: &TargetKey, updated_at: UpdatedAt) -> Result<(), Error> {
        self.change_behaviour(key, |behaviour| behaviour.updated_at = updated_at)
    }

    /// Sets how times are written in answers.
    ///
    /// # Errors
    /// When the target is unknown.
    pub fn set_time_format(&self, key: &TargetKey, times: TimeFormat) -> Result<(), Error> {
        self.change_behaviour(key, |behaviour| behaviour.times = times)
    }
}
