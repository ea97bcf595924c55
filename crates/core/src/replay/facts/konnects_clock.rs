//! Konnect's clock, as far as a pass has heard it.

use chrono::{DateTime, Utc};

use crate::replay::facts::observed::Observed;
use crate::replay::facts::window::delta;

/// Now, by Konnect's clock where this pass has heard it: retention is Konnect's to judge.
pub(crate) fn remote_now(o: &Observed) -> DateTime<Utc> {
    konnects_now(o).unwrap_or(o.clock.wall)
}

/// Now by Konnect's clock, if this pass has heard it.
pub(crate) fn konnects_now(o: &Observed) -> Option<DateTime<Utc>> {
    let (at, date) = o.learned.remote.as_ref().and_then(|seen| Some((seen.at, seen.what.as_ref().ok()?.date?)))?;
    date.checked_add_signed(delta(o.clock.mono.saturating_sub(at.mono)))
}

/// Whether this pass has read Konnect's job.
pub(crate) fn was_read(o: &Observed) -> bool {
    o.learned.remote.as_ref().is_some_and(|seen| seen.what.is_ok())
}

/// Whether a reading of the clocks on which a job is to be given up can be believed: both say the same (`agreed`), or the only clock
/// that can be asked, or Konnect's where they differ, has said so for a poll interval.
pub(crate) fn is_believed(o: &Observed, agreed: bool) -> bool {
    match konnects_now(o) {
        Some(date) => agreed || o.memory.date_agreed_for(date, o.clock) >= o.policy.poll_interval,
        None => o.memory.clock_agreed_for(o.clock) >= o.policy.poll_interval,
    }
}
