//! The installer's settings, as far as they decide what to do.

use std::time::Duration;

use crate::konnect::UrlTemplate;

/// Oldest reading of Konnect's job on which a PUT may be based (I2 of docs/guarantees.md).
pub(crate) const MAX_READING_AGE: Duration = Duration::from_secs(10);
/// How near to a limit of Konnect's a 400 may be due to two clocks that differ.
pub(crate) const LIMIT_MARGIN: Duration = Duration::from_mins(15);
/// How long after a 429 without `Retry-After` (docs/konnect-api.md 5).
pub(crate) const RATE_LIMIT_WAIT: Duration = Duration::from_secs(15);
/// How far ahead a window may end. Nearer ends are waited for; a farther one is taken for a slip of the pen.
pub(crate) const MAX_LEAD: Duration = Duration::from_hours(8 * 24);
/// How long a window may be: all that Konnect keeps.
pub(crate) const MAX_WINDOW: Duration = Duration::from_hours(168);
/// How long something that may mend itself is waited for before the object says Stalled.
pub(crate) const STALL_AFTER: Duration = Duration::from_mins(5);
/// How long a run may be unreadable or unchanged before others of its lane may go.
pub(crate) const QUIET: Duration = Duration::from_hours(1);
/// How many retry intervals the target of an accepted run may be unknown to Konnect (404) before the job is given up: a gateway answers
/// so for a while during a deployment, and so it does to a token of another organisation that is put right again.
const PORTAL_RETRIES: u32 = 10;
/// How long Konnect may say the same in a word that this version does not know before the object says Stalled.
pub(crate) const UNKNOWN_WORD_PATIENCE: Duration = Duration::from_hours(2);
/// How long an unreadable webhook holds a replay back.
pub(crate) const WEBHOOK_PATIENCE: Duration = Duration::from_mins(10);

/// Longest wait for something that the wall clock tells: a clock that is set, or a machine that sleeps, is noticed after it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How much later than the limit of retention a shortened window begins, so that it does not expire on its way.
pub(crate) const CLAMP_MARGIN: Duration = Duration::from_mins(1);
/// How often a submission that was lost from view is made again.
pub(crate) const SUPERSEDED_LIMIT: u32 = 10;
/// How often a run that ended unseen is repeated: it may well have completed.
pub(crate) const UNSEEN_LIMIT: u32 = 1;
/// How often a request that Konnect answered with 2xx, and never showed, is repeated: each may have sent the events.
pub(crate) const NOT_SHOWN_LIMIT: u32 = 2;

/// What at Konnect may have one run at a time. The documentation says "per region", the path says "per portal"; both work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serialize {
    /// One run per region and token: never a needless 409.
    #[default]
    Region,
    /// One run per portal.
    Portal,
}

/// The installer's settings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where Konnect is.
    pub konnect_url: UrlTemplate,
    /// The regions that objects may name.
    pub regions: Vec<String>,
    /// What may have one run at a time.
    pub serialize: Serialize,
    /// How often a run is looked at.
    pub poll_interval: Duration,
    /// Spacing of slow retries: credentials, webhook, unknown portal, refused requests.
    pub retry_interval: Duration,
    /// How long Konnect keeps events.
    pub retention: Duration,
    /// How long after its end a window is sent, so that its last events have arrived at Konnect.
    pub ingest_delay: Duration,
    /// First spacing of tries after a run that failed or was lost from view.
    pub backoff_base: Duration,
    /// How long a GET may lag behind a PUT.
    pub get_lag: Duration,
    /// Longest duration of one call to Konnect.
    pub request_timeout: Duration,
}

impl Default for Policy {
    /// What the operator does unless told otherwise: the defaults of its flags.
    fn default() -> Self {
        Self {
            konnect_url: UrlTemplate::default(),
            regions: ["us", "eu", "au", "me", "in", "sg"].map(str::to_owned).to_vec(),
            serialize: Serialize::default(),
            poll_interval: Duration::from_secs(15),
            retry_interval: Duration::from_mins(1),
            retention: Duration::from_hours(168),
            ingest_delay: Duration::from_mins(1),
            backoff_base: Duration::from_mins(1),
            get_lag: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// How long a request of unknown outcome is left alone before Konnect's answer to a GET counts: the request is sent within
    /// 10 s of its reading, ends within the timeout, and shows within the lag.
    pub fn settle_time(&self) -> Duration {
        MAX_READING_AGE + self.request_timeout + self.get_lag
    }

    /// How long the target of an accepted run may be unknown to Konnect before the job is given up: ten minutes by default.
    pub(crate) fn portal_patience(&self) -> Duration {
        self.retry_interval.saturating_mul(PORTAL_RETRIES).max(self.settle_time())
    }
}
