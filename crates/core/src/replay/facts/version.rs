//! Under which version of its API Konnect is asked. Some portals are known under one version only. Where the spec leaves it open
//! (`Auto`), v2 is asked, then v3 if v2 answers 404. Only an answer decides; what was found is recorded in the object before it
//! is used, and kept: a run is followed under the version that it was sent with.

use crate::api::{ApiVersion, AuditLogReplayJob, KonnectApiVersion};

/// Under which version of its API Konnect is asked for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionChoice {
    /// Under this one alone: the spec names it, or it was found and recorded.
    Settled(ApiVersion),
    /// Under v2, and under v3 where v2 does not know the target.
    Open,
}

impl VersionChoice {
    /// By the spec, and where that says `Auto` by what was found.
    pub fn of(job: &AuditLogReplayJob) -> Self {
        let found = job.status.as_ref().and_then(|status| status.konnect_api_version);
        match job.spec.target.konnect_api_version {
            KonnectApiVersion::V2 => Self::Settled(ApiVersion::V2),
            KonnectApiVersion::V3 => Self::Settled(ApiVersion::V3),
            KonnectApiVersion::Auto => found.map_or(Self::Open, Self::Settled),
        }
    }

    /// The version that is asked first.
    pub fn asked_first(self) -> ApiVersion {
        match self {
            Self::Settled(version) => version,
            Self::Open => ApiVersion::V2,
        }
    }
}
