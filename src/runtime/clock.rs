//! Time and randomness. Only here are they read; decisions take them as arguments.

use std::time::Instant;

use chrono::Utc;

use konnect_replay_core::replay::{Clock, Draw};

/// When this process began to lead. Copies are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Now, by both clocks: the wall clock, and the time since the start.
    pub(crate) fn clock(self) -> Clock {
        Clock { wall: Utc::now(), mono: self.0.elapsed() }
    }
}

/// Fresh randomness.
pub(crate) fn draw() -> Draw {
    let id = uuid::Uuid::new_v4();
    // The first field of a v4 is all random.
    let (bits, ..) = id.as_fields();
    Draw { jitter: f64::from(bits) / f64::from(u32::MAX), submission_id: id.to_string() }
}
