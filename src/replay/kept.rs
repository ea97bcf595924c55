//! What is kept of a job between passes.

use std::time::Duration;

use crate::runtime::pass;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::Memory;
use konnect_replay_core::replay::events::Announcer;

/// The entry of one job.
pub(super) type Entry = pass::Entry<Kept>;

/// What is kept of one job. All of it may be lost: more is asked then.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the decision remembers; with the pass while one is under way.
    pub(super) memory: Memory,
    /// The job before a write of ours that may have landed, although its answer was lost.
    pub(super) unconfirmed: Option<Box<AuditLogReplayJob>>,
    /// What was announced of it.
    pub(super) announcer: Announcer,
    /// How often its first pass was put off, so that others could go.
    pub(super) put_off: u8,
    /// A pass panicked, and none has succeeded since: what this process knew of a request is lost.
    pub(super) knows_nothing: bool,
}

impl Kept {
    /// What is left after a pass that panicked half-way.
    pub(super) fn after_a_panic() -> Self {
        Self { knows_nothing: true, ..Self::default() }
    }

    /// How long from now a request of this job may still take effect unseen, if one may.
    pub(super) fn unsettled(&self, settle_time: Duration, now: Duration) -> Option<Duration> {
        if self.knows_nothing { Some(settle_time) } else { self.memory.unsettled(settle_time, now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_panic_anything_may_be_on_its_way() {
        let (settle_time, now) = (Duration::from_secs(70), Duration::from_hours(1));
        assert_eq!(Kept::default().unsettled(settle_time, now), None);
        assert_eq!(Kept::after_a_panic().unsettled(settle_time, now), Some(settle_time));
    }
}
