//! How an emulator is set up, and which way each open question is answered.
//!
//! Values only; they take effect in `job` (timings, Q1), `world` (Q2, retention, rate limits) and `delivery` (batches).
//! Q3 to Q12 are in `behaviour`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;
use crate::limit::RateLimit;

/// How long Konnect keeps audit logs.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);

/// Everything that is fixed when an emulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the Konnect API. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address of the control API; none means that only the handle controls the emulator.
    pub control: Option<SocketAddr>,
    /// Serve the Konnect API over HTTPS. The control API is always plain HTTP.
    pub tls: Option<Tls>,
    /// Times of targets that were given none of their own.
    pub timings: Timings,
    /// Factor on the delays between delivery attempts. 0.001 makes an exhausted delivery take 15 ms.
    pub retry_scale: f64,
    /// Most events in one POST to the webhook.
    pub batch_size: usize,
    /// How far back a window may begin, and how long events are kept.
    pub retention: Duration,
    /// What a PUT does while a run is accepted or pending.
    pub q1: Q1,
    /// How far the 409 of a running job reaches.
    pub q2: Q2,
    /// Behaviour of targets that were given none of their own: the other open questions, lags, clocks.
    pub behaviour: Behaviour,
    /// How many requests are answered within which time; more are a 429. All of them hold.
    pub rate_limits: Vec<RateLimit>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            tls: None,
            timings: Timings::default(),
            retry_scale: 1.0,
            batch_size: 500,
            retention: RETENTION,
            q1: Q1::default(),
            q2: Q2::default(),
            behaviour: Behaviour::default(),
            rate_limits: Vec::new(),
        }
    }
}

/// Where the certificate of the Konnect API comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A certificate authority made at start; its PEM is `Emulator::ca_pem`. Nothing is written to disk.
    SelfSigned {
        /// DNS names or IP addresses to serve besides `localhost`, `127.0.0.1` and `::1`.
        names: Vec<String>,
    },
    /// A certificate that somebody else made, such as a cluster's own authority.
    Given {
        /// PEM of the certificate, followed by those between it and its authority.
        certificates: String,
        /// PEM of its key.
        key: String,
    },
}

/// How long a run stays in each state before it moves on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timings {
    /// Time in `accepted`.
    #[serde(rename = "accepted_ms", with = "millis")]
    pub accepted: Duration,
    /// Least time in `pending`; longer while the region is busy and Q2 is per region.
    #[serde(rename = "pending_ms", with = "millis")]
    pub pending: Duration,
    /// Least time in `running`; longer while the events are being delivered.
    #[serde(rename = "running_ms", with = "millis")]
    pub running: Duration,
    /// Time an ended run stays visible before a queued one takes its place. Without a queue an end is final.
    #[serde(rename = "ended_ms", with = "millis")]
    pub ended: Duration,
}

impl Timings {
    /// The same time in every state.
    pub fn all(each: Duration) -> Self {
        Self { accepted: each, pending: each, running: each, ended: each }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::all(Duration::from_secs(1))
    }
}

/// Open question 1: what a PUT does while a run is `accepted` or `pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q1 {
    /// 202; the new window takes the place of the old one, which is never sent.
    #[default]
    Replace,
    /// 202; the new window runs after the one under way.
    Queue,
    /// 409.
    Refuse,
}

/// Open question 2: what a running job makes answer 409.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q2 {
    /// Only its own target; targets run side by side.
    Portal,
    /// Every target of the organization in that region; one runs at a time, others wait in `pending`.
    #[default]
    Region,
}

/// Durations as whole milliseconds in JSON.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
