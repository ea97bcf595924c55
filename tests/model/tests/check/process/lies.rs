//! Flaws that are lies about what one pass leaves behind, and about what other objects have on record.

use chrono::TimeDelta;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{Candidate, Course, Step, WaitCause, Woken, is_finished, is_under_way};

use super::{Rules, Turn};
use crate::flaw::Flaw;
use crate::time::Tick;

/// How long a job with [`Flaw::BeginsPatienceAnew`] keeps its lane.
const PATIENCE: Tick = 12;

impl Turn<'_> {
    /// Flaws of what stays reserved after a pass, and of what it tells of others.
    pub(super) fn lies_at_the_end(&mut self, step: &Step, course: &Course) {
        let (object, now, mono) = (self.object, self.now, self.clock().mono);
        let who = course.candidate().cloned();
        let (Step::Wait { cause, wait }, Some(flaw), Some(who)) = (step, self.rules.flaw, who) else { return };
        let stays = match flaw {
            Flaw::KeepsTheLane => {
                matches!(cause, WaitCause::Conflict | WaitCause::PutRefused | WaitCause::NotTaken | WaitCause::Retry)
            }
            Flaw::KeepsAQuietTarget => is_under_way(course.job()),
            Flaw::BeginsPatienceAnew if *cause == WaitCause::RemoteJob => {
                let since = *self.process.kept[object].patient_since.get_or_insert(now);
                let is_patient = now - since < PATIENCE;
                if !is_patient {
                    self.process.kept[object].patient_since = None;
                }
                is_patient
            }
            Flaw::SharesWhatOneFound => {
                self.shares(*cause, *wait);
                false
            }
            _ => false,
        };
        if stays {
            let _: Woken = self.process.scheduler.reserve(&who, mono);
        }
    }

    /// What a GET of one job has found is reported for all others of its target, and lasts longer for them: so the one that found it
    /// looks again before they may.
    fn shares(&mut self, cause: WaitCause, wait: std::time::Duration) {
        if !matches!(cause, WaitCause::Portal | WaitCause::Webhook | WaitCause::Credentials) {
            return;
        }
        let (object, mono) = (self.object, self.clock().mono);
        let slot = self.rules.layout.slot(object);
        let others = (0..self.process.kept.len()).filter(|other| *other != object);
        for other in others.filter(|other| self.rules.layout.slot(*other) == slot) {
            let job = self.rules.statuses.object(other, self.process.kept[other].cached);
            if let Some(who) = Candidate::of(&job, &self.rules.policy).filter(|_| !is_finished(&job)) {
                let longer = wait + crate::time::STEP * 2;
                let _: Woken = self.process.scheduler.failed(&who, WaitCause::Portal, longer, mono);
            }
        }
    }
}

/// What a flawed core would take the record of a Complete object for.
pub(super) fn distorted(rules: &Rules, mut other: AuditLogReplayJob) -> AuditLogReplayJob {
    let Some(status) = &mut other.status else { return other };
    if let Some(webhook) = status.webhook.as_mut().filter(|_| rules.has(Flaw::TrustsTheReceiver)) {
        webhook.last_response_code = Some(200);
    }
    if let Some(run) = status.konnect.as_mut().filter(|_| rules.has(Flaw::CountsAboutTheSame)) {
        let a_minute = TimeDelta::seconds(59);
        run.start_at = run.start_at.map(|start| start - a_minute);
        run.end_at = run.end_at.map(|end| end + a_minute);
    }
    other
}
