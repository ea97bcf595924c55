//! Time in steps of ten seconds: the freshness of a reading, the request timeout, the lag of a GET and the intervals are one step
//! each, the settle time is three.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use konnect_replay_core::replay::{Clock, Policy, Serialize};

/// One step of the clock.
pub const STEP: Duration = Duration::from_secs(10);

/// Steps since the story began.
pub type Tick = u16;

/// How long a request may be on its way (the request timeout).
pub const ON_THE_WAY: Tick = 1;

pub fn instant(tick: Tick) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_262_400, 0).unwrap() + TimeDelta::from_std(STEP).unwrap() * i32::from(tick)
}

/// What time a process believes it is: `ahead` by its wall clock.
pub fn clock(now: Tick, ahead: TimeDelta) -> Clock {
    Clock { wall: instant(now) + ahead, mono: Duration::from_secs(1000) + STEP * u32::from(now) }
}

pub fn policy(serialize: Serialize) -> Policy {
    Policy {
        konnect_url: "https://{region}.api.konghq.com".parse().unwrap(),
        regions: vec!["eu".to_owned()],
        serialize,
        poll_interval: STEP,
        retry_interval: STEP,
        retention: Duration::from_hours(168),
        ingest_delay: Duration::from_mins(1),
        get_lag: STEP,
        backoff_base: STEP,
        request_timeout: STEP,
    }
}
