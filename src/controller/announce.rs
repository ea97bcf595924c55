//! What a pass tells the world besides the status: a log line, Events, metrics, and the record of a job that has ended.

use super::context::Context;
use super::log;
use crate::evidence::{self, Telling};
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::konnect::CallError;
use konnect_replay_core::replay::events::Announcer;
use konnect_replay_core::replay::{Change, changes};

/// What one pass has to add to what the status says.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    /// Of Konnect's last answer, where that was an error.
    trace_id: Option<String>,
}

impl Announcement {
    /// Takes note of an answer of Konnect's.
    pub(super) fn answered(&mut self, error: Option<&CallError>) {
        self.trace_id = error.and_then(CallError::trace_id).map(str::to_owned);
    }

    /// A write turned `before` into `after`.
    pub(super) fn written(
        &self,
        ctx: &Context,
        announcer: &mut Announcer,
        before: &AuditLogReplayJob,
        after: &AuditLogReplayJob,
    ) {
        log::transition(before, after, self.trace_id.as_deref());
        count(ctx, before, after);
        let (before, clock) = (before.status.clone().unwrap_or_default(), ctx.clock());
        for event in announcer.written(&before, after, self.trace_id.as_deref(), clock) {
            ctx.events.publish(after, event, clock.wall);
        }
    }

    /// Konnect refused the request of the record `id`.
    pub(super) fn refused(
        &mut self,
        ctx: &Context,
        announcer: &mut Announcer,
        job: &AuditLogReplayJob,
        id: &str,
        error: &CallError,
    ) {
        self.answered(Some(error));
        let (status, clock) = (job.status.clone().unwrap_or_default(), ctx.clock());
        if let Some(event) = announcer.refused(&status, id, error, clock) {
            ctx.events.publish(job, event, clock.wall);
        }
    }
}

fn count(ctx: &Context, before: &AuditLogReplayJob, after: &AuditLogReplayJob) {
    for change in changes(before, after, &ctx.config.policy) {
        ctx.metrics.changed(&after.spec.target.region, &change);
        if matches!(change, Change::Finished(_)) {
            evidence::emit(after, Telling::First);
        }
    }
}

/// A pass ends with `job` waiting.
pub(super) fn waiting(ctx: &Context, announcer: &mut Announcer, job: &AuditLogReplayJob) {
    let clock = ctx.clock();
    if let Some(event) = announcer.waiting(job, clock) {
        ctx.events.publish(job, event, clock.wall);
    }
}
