//! Time, by two clocks.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// What time it is, by both clocks. Waits are measured by `mono`, which nobody can set; retention by `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Wall clock.
    pub wall: DateTime<Utc>,
    /// Time since the process started, by the monotonic clock.
    pub mono: Duration,
}

impl Clock {
    /// Wall time as it enters the status: whole seconds, as Kubernetes writes times.
    pub(crate) fn stamp(&self) -> DateTime<Utc> {
        self.wall.trunc_subsecs(0)
    }

    /// How long ago `earlier` was, by the clock that says longer: a process that was stopped may find that only one has moved.
    pub(crate) fn since(&self, earlier: Self) -> Duration {
        let wall = (self.wall - earlier.wall).max(TimeDelta::zero()).to_std().unwrap_or(Duration::MAX);
        self.mono.saturating_sub(earlier.mono).max(wall)
    }
}
