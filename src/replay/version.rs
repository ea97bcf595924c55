//! Under which version of its API Konnect is asked. Some portals are known under one version only. Where the spec leaves it open
//! (`Auto`), v2 is asked, then v3 if v2 answers 404. Only an answer decides; what was found is recorded in the object before it
//! is used, and kept: a run is followed under the version that it was sent with.

use super::observed::Observed;
use super::policy::Policy;
use super::settle::{self, Finding};
use super::situation::{Decision, Situation};
use super::step::{Step, WaitCause};
use super::wait;
use crate::api::{ApiVersion, AuditLogReplayJob, AuditLogReplayJobStatus, KonnectApiVersion};
use crate::konnect::RemoteJob;

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

/// What to do where Konnect does not know the target (404) under the version that is asked first.
pub(super) fn not_known(o: &Observed, policy: &Policy) -> Decision {
    let can_ask = o.learned.token == Some(Ok(()));
    match (VersionChoice::of(o.job), &o.learned.other_version) {
        // Asked once per blocker: it is for the message alone.
        (VersionChoice::Settled(_), None) if can_ask && o.memory.known_under_other_version().is_none() => {
            Decision::Do(Step::ReadOtherVersion)
        }
        (VersionChoice::Settled(_), _) => not_found(o, policy, o.memory.known_under_other_version()),
        (VersionChoice::Open, None) if can_ask => Decision::Do(Step::ReadOtherVersion),
        (VersionChoice::Open, None) => not_found(o, policy, None),
        (VersionChoice::Open, Some(Ok(reading))) if may_have_ours(o, &reading.value) => settle_on_the_other(o),
        (VersionChoice::Open, Some(Err(error))) if error.status() != Some(404) => wait::trouble(o, policy, error),
        (VersionChoice::Open, Some(other)) => not_found(o, policy, Some(other.is_ok())),
    }
}

/// Whether a 404 says that Konnect does not know the target: where both versions are asked, both must have answered.
pub(super) fn is_unknown_for_certain(o: &Observed) -> bool {
    match (VersionChoice::of(o.job), &o.learned.other_version) {
        (VersionChoice::Settled(_), _) => true,
        (VersionChoice::Open, None) => false,
        (VersionChoice::Open, Some(Ok(reading))) => !may_have_ours(o, &reading.value),
        (VersionChoice::Open, Some(Err(error))) => error.status() == Some(404),
    }
}

/// The version to record, once Konnect has answered for the target under it.
pub(super) fn found(o: &Observed) -> Option<ApiVersion> {
    let choice = VersionChoice::of(o.job);
    let read = o.learned.remote.as_ref().is_some_and(|seen| seen.what.is_ok());
    (choice == VersionChoice::Open && read).then(|| choice.asked_first())
}

fn not_found(o: &Observed, policy: &Policy, under_other_version: Option<bool>) -> Decision {
    Decision::Be(Situation::UnknownPortal { under_other_version }, wait::slow(o, policy, WaitCause::Portal))
}

/// Recorded first, used then: the next leader asks under the same version.
fn settle_on_the_other(o: &Observed) -> Decision {
    let version = VersionChoice::of(o.job).asked_first().other();
    let status = AuditLogReplayJobStatus {
        observed_generation: o.generation(),
        konnect_api_version: Some(version),
        ..o.status().into_owned()
    };
    Decision::Do(Step::WriteStatus(Box::new(status)))
}

/// Whether the submission that stands can have gone to where `shown` was read. There is one without a recorded version only under
/// a definition of the object (CRD) that dropped it. A 404 that comes and goes must not make such a run look as if it were lost,
/// or it would be sent again.
fn may_have_ours(o: &Observed, shown: &RemoteJob) -> bool {
    let standing = o.submission().filter(|submission| !submission.state.is_over() && !o.was_refused());
    standing.is_none_or(|submission| match settle::find(submission, shown) {
        Finding::Ours => true,
        Finding::Nothing => submission.accepted_time.is_none(),
        Finding::AnotherWindow => false,
    })
}
