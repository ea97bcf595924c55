//! What this process wrote, or read past the watch, and the watch may not have shown yet.

use kube::ResourceExt;
use kube::core::ObjectMeta;

use crate::api::AuditLogReplayJob;

/// What we last wrote of an object, or read past the watch, which the watch may not have shown yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnWrites(Option<Latest>);

#[derive(Clone, Debug, PartialEq)]
struct Latest {
    job: AuditLogReplayJob,
    superseded: Vec<String>,
}

impl OwnWrites {
    /// The newest version known: our own last write or reading, as long as the watch still shows one from before it.
    pub fn newest(&mut self, watched: &AuditLogReplayJob) -> AuditLogReplayJob {
        let version = watched.resource_version().unwrap_or_default();
        match &self.0 {
            Some(latest) if latest.superseded.contains(&version) => latest.job.clone(),
            _ => {
                self.0 = None;
                watched.clone()
            }
        }
    }

    /// Takes note that `job` came after version `from`: we wrote it, or read it when our write on `from` was refused.
    pub fn note(&mut self, from: String, job: &AuditLogReplayJob) {
        let mut superseded = self.0.take().map(|latest| latest.superseded).unwrap_or_default();
        superseded.push(from);
        // Who owns which field is most of an object, and decides nothing.
        let job = AuditLogReplayJob {
            metadata: ObjectMeta { managed_fields: None, ..job.metadata.clone() },
            spec: job.spec.clone(),
            status: job.status.clone(),
        };
        self.0 = Some(Latest { job, superseded });
    }
}
