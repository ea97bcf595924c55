//! What the records of other objects show replayed.

use kube::ResourceExt;

use crate::api::{AuditLogReplayJob, TimeRange};
use crate::replay::facts::delivery::{self, Recorded};
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::policy::Policy;
use crate::replay::facts::{said, window};
use crate::replay::scheduler::TargetKey;

/// Another object of the same namespace, which is Complete, and the record of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    pub(crate) name: String,
    pub(crate) target: TargetKey,
    pub(crate) recorded: Recorded,
}

impl Sibling {
    /// What is to be known of `job`; `None` unless it is Complete and a run of its is on record.
    pub fn of(job: &AuditLogReplayJob, policy: &Policy) -> Option<Self> {
        Self::with(recorded(job)?, job, policy)
    }

    /// The same, if the recorded run is of all of `window`. Objects without such a run are not parsed.
    pub fn covering(window: TimeRange, job: &AuditLogReplayJob, policy: &Policy) -> Option<Self> {
        let recorded = recorded(job).filter(|recorded| window::contains(recorded.window, window))?;
        Self::with(recorded, job, policy)
    }

    fn with(recorded: Recorded, job: &AuditLogReplayJob, policy: &Policy) -> Option<Self> {
        let validated = ValidatedJob::new(job, policy).ok()?;
        Some(Self { name: job.name_any(), target: validated.target_key(), recorded })
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn recorded(job: &AuditLogReplayJob) -> Option<Recorded> {
    job.status.as_ref().filter(|status| said::is_complete(status)).and_then(delivery::recorded)
}
