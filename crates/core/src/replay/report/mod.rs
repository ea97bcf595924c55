//! From a situation to the whole status: conditions, messages, evidence. Decides nothing, and writes nothing.

pub(crate) mod change;
mod conditions;
pub mod events;
mod facts;
mod messages;
mod trouble;

use crate::api::{
    AuditLogReplayJobStatus, BLOCKED_EXTERNALLY, ConditionStatus, ConditionType, Reason, Submission, SubmissionState,
};
use crate::konnect::{RemoteJob, RemoteStatus};
use crate::replay::decide::deadline;
use crate::replay::decide::situation::Situation;
use crate::replay::facts::observed::Observed;
use crate::replay::facts::policy::STALL_AFTER;
use crate::replay::facts::said::suspended_since;
use crate::replay::facts::window::{self, delta};
use conditions::Conditions;

/// The status that says `situation`, starting from the one that stands.
pub(super) fn status(o: &Observed, situation: &Situation) -> AuditLogReplayJobStatus {
    let mut status = o.status().into_owned();
    status.observed_generation = o.generation();
    facts::record(o, situation, &mut status);
    let was_suspended = suspended_since(&status).is_some();
    // A repeated request says what its predecessor's answer was until it has one of its own, so that nothing flaps.
    if matches!(situation, Situation::Intended(_)) && conditions::says_refused(&o.status()) {
        return status;
    }
    status.blocked_by = blocked_by(situation);
    let mut conditions = Conditions::of(&mut status, o.generation(), o.clock.stamp());
    facts::conditions(o, situation, &mut conditions);
    progress(o, situation, &mut conditions);
    conditions.finish();
    // A pause that ended as the run was adopted was one of the other deadline's.
    let is_under_way_now = status.start_time != o.status().start_time;
    if was_suspended && suspended_since(&status).is_none() && !is_under_way_now {
        status.suspended_seconds = deadline::pause_ended(o).unwrap_or(status.suspended_seconds);
    }
    status
}

/// Whether a status says anything that the one before did not. Counters alone are no news: they travel with the next write.
pub(super) fn is_news(old: &AuditLogReplayJobStatus, new: &AuditLogReplayJobStatus) -> bool {
    let counted =
        AuditLogReplayJobStatus { conflicts: new.conflicts, last_conflict_time: new.last_conflict_time, ..old.clone() };
    counted != *new
}

/// How the work goes on, which is what kubectl, Flux and Argo CD want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// Under way, or waiting for something that comes by itself.
    Working,
    /// Held back by the user.
    Held,
    /// Somebody else may be mending it; after a while it counts as stuck.
    Mending(ConditionType),
    /// Somebody has to do something.
    Stuck,
    /// The end.
    Complete,
    /// The end.
    Failed,
}

fn progress(o: &Observed, situation: &Situation, conditions: &mut Conditions) {
    let (reason, message) = (messages::reason(o, situation), messages::message(o, situation));
    let progress = match progress_of(situation) {
        Progress::Mending(detail) if has_lasted(o, conditions, &detail) => Progress::Stuck,
        Progress::Mending(_) => Progress::Working,
        Progress::Working if messages::unknown_word(o, situation).is_some() => Progress::Stuck,
        other => other,
    };
    let complete = progress == Progress::Complete;
    let ready = if complete { ConditionStatus::True } else { ConditionStatus::False };
    conditions.set(ConditionType::Ready, ready, reason, &message);
    let mut flag = |type_: ConditionType, on: bool| {
        if on { conditions.set(type_, ConditionStatus::True, reason, &message) } else { conditions.remove(&type_) }
    };
    flag(ConditionType::Reconciling, progress == Progress::Working);
    flag(ConditionType::Stalled, matches!(progress, Progress::Stuck | Progress::Failed));
    flag(ConditionType::Suspended, progress == Progress::Held);
    flag(ConditionType::Complete, complete);
    flag(ConditionType::Failed, progress == Progress::Failed);
    flag(ConditionType::Finished, complete || progress == Progress::Failed);
}

fn progress_of(situation: &Situation) -> Progress {
    match situation {
        Situation::Pending
        | Situation::TakingOver
        | Situation::Queued { .. }
        | Situation::HeldBack { .. }
        | Situation::WindowOpen { .. }
        | Situation::RateLimited
        | Situation::Unavailable(_)
        | Situation::Blocked { .. }
        | Situation::ClockInDoubt
        | Situation::Intended(_)
        | Situation::InDoubt { .. }
        | Situation::Underway { .. }
        | Situation::Unrecognisable { .. }
        | Situation::Over(_) => Progress::Working,
        Situation::Suspended => Progress::Held,
        Situation::NoToken(_) | Situation::Denied(_) => Progress::Mending(ConditionType::CredentialsValid),
        Situation::NoWebhook | Situation::UnknownPortal { .. } => Progress::Mending(ConditionType::WebhookReady),
        Situation::Unacceptable(_) | Situation::DefinitionOutdated => Progress::Stuck,
        Situation::Completed { .. } | Situation::AlreadyReplayed { .. } => Progress::Complete,
        Situation::Failed { .. } => Progress::Failed,
    }
}

fn has_lasted(o: &Observed, conditions: &Conditions, detail: &ConditionType) -> bool {
    conditions.since(detail).is_some_and(|since| o.clock.wall - since >= delta(STALL_AFTER))
}

fn blocked_by(situation: &Situation) -> Option<String> {
    match situation {
        Situation::Queued { blocked_by } | Situation::HeldBack { blocked_by, .. } => blocked_by.clone(),
        Situation::Blocked { .. } => Some(BLOCKED_EXTERNALLY.to_owned()),
        _ => None,
    }
}

fn planned(o: &Observed, submission: Option<&Submission>) -> Option<crate::api::PlannedWindow> {
    let asked = o.spec.window?;
    let sent = submission.map_or(asked, |s| s.window);
    let clamped = crate::replay::facts::retention::is_clamped(sent, asked);
    Some(crate::api::PlannedWindow {
        start_at: sent.start_at,
        end_at: sent.end_at,
        expires_at: window::expires_at(sent, o.policy),
        clamped,
    })
}

/// The reason of a run under way: Konnect's word in ours.
fn phase(submission: &Submission, job: Option<&RemoteJob>) -> Reason {
    match job.map(|j| &j.status) {
        Some(RemoteStatus::Pending) => Reason::RemotePending,
        Some(RemoteStatus::Running) => Reason::Running,
        Some(RemoteStatus::Unknown(_)) => Reason::RemoteStateUnknown,
        _ if submission.state == SubmissionState::Adopted => Reason::Adopted,
        _ => Reason::Accepted,
    }
}
