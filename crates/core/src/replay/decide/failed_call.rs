//! What a failed call to Konnect means, and when to call again; a 404 may mean that Konnect knows the target under the other version
//! of its API.

use crate::api::AuditLogReplayJobStatus;
use crate::konnect::{CallError, RemoteJob};
use crate::replay::decide::finding::{self, Finding};
use crate::replay::decide::situation::{Decision, Situation};
use crate::replay::decide::wait::{QUICKEST_POLL, backoff, rate_limit, slow};
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::RATE_LIMIT_WAIT;
use crate::replay::facts::version::VersionChoice;
use crate::replay::step::{Step, WaitCause};

/// What a failed call means, and when to call again.
pub(crate) fn decide(o: &Observed, error: &CallError) -> Decision {
    match error.status() {
        Some(401) => Decision::Be(Situation::Denied(error.clone()), slow(o, WaitCause::Credentials)),
        Some(403) => Decision::Be(Situation::Denied(error.clone()), slow(o, WaitCause::Permission)),
        Some(404) => not_known(o),
        Some(429) => {
            let wait = rate_limit(error).unwrap_or(RATE_LIMIT_WAIT).max(QUICKEST_POLL);
            Decision::Be(Situation::RateLimited, Step::Wait { wait, cause: WaitCause::RateLimit })
        }
        Some(400..500) => Decision::Be(Situation::Unavailable(error.clone()), backoff(o, WaitCause::Rejected)),
        _ => Decision::Be(Situation::Unavailable(error.clone()), backoff(o, WaitCause::Konnect)),
    }
}

/// What to do where Konnect does not know the target (404) under the version that is asked first.
fn not_known(o: &Observed) -> Decision {
    let can_ask = o.learned.token == Some(Ok(()));
    match (VersionChoice::of(o.job), &o.learned.other_version) {
        // Asked once per blocker: it is for the message alone.
        (VersionChoice::Settled(_), None) if can_ask && o.memory.known_under_other_version().is_none() => {
            Decision::Do(Step::ReadOtherVersion)
        }
        (VersionChoice::Settled(_), _) => not_found(o, o.memory.known_under_other_version()),
        (VersionChoice::Open, None) if can_ask => Decision::Do(Step::ReadOtherVersion),
        (VersionChoice::Open, None) => not_found(o, None),
        (VersionChoice::Open, Some(Ok(reading))) if may_have_ours(o, &reading.value) => settle_on_the_other(o),
        (VersionChoice::Open, Some(Err(error))) if error.status() != Some(404) => decide(o, error),
        (VersionChoice::Open, Some(other)) => not_found(o, Some(other.is_ok())),
    }
}

/// Whether a 404 says that Konnect does not know the target: where both versions are asked, both must have answered.
pub(crate) fn is_unknown_for_certain(o: &Observed) -> bool {
    match (VersionChoice::of(o.job), &o.learned.other_version) {
        (VersionChoice::Settled(_), _) => true,
        (VersionChoice::Open, None) => false,
        (VersionChoice::Open, Some(Ok(reading))) => !may_have_ours(o, &reading.value),
        (VersionChoice::Open, Some(Err(error))) => error.status() == Some(404),
    }
}

fn not_found(o: &Observed, under_other_version: Option<bool>) -> Decision {
    Decision::Be(Situation::UnknownPortal { under_other_version }, slow(o, WaitCause::Portal))
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
    standing.is_none_or(|submission| match finding::find(submission, shown) {
        Finding::Ours => true,
        Finding::Nothing => submission.accepted_time.is_none(),
        Finding::AnotherWindow => false,
    })
}
