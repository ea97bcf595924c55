//! What must hold of all that is written and sent.

use konnect_replay_core::api::{AuditLogReplayJobStatus, ConditionStatus, ConditionType, SubmissionState};

use super::cluster::StatusId;
use super::konnect::{By, Job, Object};
use super::model::Model;
use super::time::Tick;
use super::world::World;

/// What is true of an object, whatever anybody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// A run of its window has completed, ever.
    pub completed: bool,
    /// The same since its last intent.
    pub completed_since: bool,
    /// A run of exactly its window that somebody else asked for has completed. Where our request is in doubt, or theirs slips in
    /// before it, nobody can tell the two apart, and the events are delivered all the same.
    pub completed_by_outsider: bool,
    /// The destinations to which it was delivered, as bits.
    pub delivered_to: u8,
    /// When a PUT of somebody else, or for another object, last took effect since the reading on which its last intent is based.
    pub displaced: Option<Tick>,
    /// Runs of its window that failed.
    pub failed: u8,
}

/// A broken invariant, or the end of what is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// I1: a PUT took effect although an earlier run of the same object was under way or had completed, and stood there.
    SentTwice,
    /// I1: a try was counted for a failure, or for a stranger's job, that there was not.
    Miscounted,
    /// I2: a PUT without a reading at most 10 s old that showed the target free.
    Unread,
    /// I2: a PUT took effect although a run of ours was under way.
    TwoAtOnce,
    /// I4: Complete and Failed, or an end that changed.
    EndChanged,
    /// None: somebody slipped in between a GET of ours, or what it could show, and our PUT. What follows is not promised.
    Assumption,
    /// I5: given up because nothing was under way, although something was.
    FalselyFailed,
    /// I5: Complete without a run of the window that completed, or without saying how.
    FalselyComplete,
}

impl World {
    /// Whether what is written is true, and allowed.
    pub fn judge(&mut self, of: Object, read: Option<Tick>, before: StatusId, after: StatusId, model: &Model) {
        let (before, after) = (model.rules.statuses.get(before), model.rules.statuses.get(after));
        if is_new_intent(&before, &after) {
            let truth = &mut self.truth[of];
            truth.completed_since = false;
            truth.displaced = truth.displaced.filter(|at| read.is_none_or(|read| *at >= read));
        }
        let breach = judge_end(&before, &after)
            .or_else(|| judge_complete(&before, &after, self.truth[of], self.receiver.destination))
            .or_else(|| self.judge_failed(of, &before, &after, model))
            .or_else(|| judge_count(&before, &after, self.truth[of]));
        self.breach = self.breach.or(breach);
    }
}

impl World {
    /// I5, the other way round: a job that was given up before its start has nothing under way.
    fn judge_failed(
        &self,
        of: Object,
        before: &AuditLogReplayJobStatus,
        after: &AuditLogReplayJobStatus,
        model: &Model,
    ) -> Option<Breach> {
        let is_news = is_true(after, &ConditionType::Failed) && !is_true(before, &ConditionType::Failed);
        if !is_news || reason(after) != Some("StartingDeadlineExceeded") {
            return None;
        }
        let place = &self.konnect[model.rules.layout.slot(of)];
        let is_ours = |job: &Job| job.by() == Some(By::Us(of)) && job.word.is_busy();
        let is_under_way = is_ours(&place.job) || place.queued.as_ref().is_some_and(is_ours);
        let is_on_its_way = self.wire.iter().any(|request| request.object == of && request.answer.is_none());
        (is_under_way || is_on_its_way).then_some(Breach::FalselyFailed)
    }
}

/// Why the object is Ready, or not.
fn reason(status: &AuditLogReplayJobStatus) -> Option<&str> {
    status.conditions.iter().find(|c| c.type_ == ConditionType::Ready).map(|c| c.reason.as_str())
}

fn is_new_intent(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) -> bool {
    let id = |status: &AuditLogReplayJobStatus| status.submission.as_ref().map(|s| s.id.clone());
    let intended = after.submission.as_ref().is_some_and(|s| s.state == SubmissionState::Intended);
    intended && id(before) != id(after)
}

pub fn is_true(status: &AuditLogReplayJobStatus, type_: &ConditionType) -> bool {
    status.conditions.iter().any(|c| c.type_ == *type_ && c.status == ConditionStatus::True)
}

/// I4.
fn judge_end(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus) -> Option<Breach> {
    let both = is_true(after, &ConditionType::Complete) && is_true(after, &ConditionType::Failed);
    let changed = is_true(before, &ConditionType::Finished) && before != after;
    (both || changed).then_some(Breach::EndChanged)
}

/// I5.
fn judge_complete(
    before: &AuditLogReplayJobStatus,
    after: &AuditLogReplayJobStatus,
    truth: Truth,
    destination: u8,
) -> Option<Breach> {
    if !is_true(after, &ConditionType::Complete) || is_true(before, &ConditionType::Complete) {
        return None;
    }
    let holds = match reason(after) {
        Some("Completed") => truth.completed_since || truth.completed_by_outsider,
        Some("Adopted") => truth.completed,
        Some("AlreadyReplayed") => truth.delivered_to & (1 << destination) != 0,
        _ => false,
    };
    (!holds).then_some(Breach::FalselyComplete)
}

/// I1, the limits: what is counted has happened.
fn judge_count(before: &AuditLogReplayJobStatus, after: &AuditLogReplayJobStatus, truth: Truth) -> Option<Breach> {
    let counted = |status: &AuditLogReplayJobStatus| {
        status.retries.as_ref().map_or((0, 0), |r| (r.failed, r.superseded + r.ended_unseen))
    };
    let (before, after) = (counted(before), counted(after));
    let invented = after.0 > u32::from(truth.failed) || (after.1 > before.1 && truth.displaced.is_none());
    invented.then_some(Breach::Miscounted)
}
