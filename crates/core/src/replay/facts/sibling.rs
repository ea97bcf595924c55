//! What the records of other objects show replayed.

use kube::ResourceExt;

use crate::api::{AuditLogReplayJob, TimeRange};
use crate::replay::facts::delivery::{self, Recorded};
use crate::replay::facts::job::ValidatedJob;
use crate::replay::facts::policy::Policy;
use crate::replay::facts::said;
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
        let recorded = recorded(job)?;
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

/// The window of the run that a Complete object has on record, delivered or not; `None` of any other object.
pub fn replayed_window(job: &AuditLogReplayJob) -> Option<TimeRange> {
    recorded(job).map(|recorded| recorded.window)
}
