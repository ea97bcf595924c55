//! What a pass reports besides the status: a log line, Events, metrics, and the record of a job that has ended.

use super::context::Context;
use super::log;
use crate::evidence::{self, Telling};
use crate::runtime::events;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::konnect::CallError;
use konnect_replay_core::replay::events::{Announcer, Event};
use konnect_replay_core::replay::{Change, Clock, changes};

/// What Events say that the operator was doing.
const ACTION: &str = "Replay";

/// What one pass has to add to what the status says.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    /// Of Konnect's last answer, where that was an error.
    trace_id: Option<String>,
}

/// Where announcements about one job go.
pub(super) struct Outlet<'a> {
    /// Where log lines, metrics and Events go.
    pub(super) ctx: &'a Context,
    /// What was announced of the job before.
    pub(super) announcer: &'a mut Announcer,
}

impl Announcement {
    /// Takes note of an answer of Konnect's.
    pub(super) fn answered(&mut self, error: Option<&CallError>) {
        self.trace_id = error.and_then(CallError::trace_id).map(str::to_owned);
    }

    /// A write turned `before` into `after`.
    pub(super) fn written(&self, to: &mut Outlet<'_>, before: &AuditLogReplayJob, after: &AuditLogReplayJob) {
        log::transition(before, after, self.trace_id.as_deref());
        count(to.ctx, before, after);
        let (before, clock) = (before.status.clone().unwrap_or_default(), to.ctx.clock());
        for event in to.announcer.written(&before, after, self.trace_id.as_deref(), clock) {
            publish(to.ctx, after, event, clock);
        }
    }

    /// Konnect refused the request of the record `id` of `job`.
    pub(super) fn refused(&mut self, to: &mut Outlet<'_>, job: &AuditLogReplayJob, (id, error): (&str, &CallError)) {
        self.answered(Some(error));
        let (status, clock) = (job.status.clone().unwrap_or_default(), to.ctx.clock());
        if let Some(event) = to.announcer.refused(&status, id, error, clock) {
            publish(to.ctx, job, event, clock);
        }
    }
}

fn count(ctx: &Context, before: &AuditLogReplayJob, after: &AuditLogReplayJob) {
    for change in changes(before, after, ctx.policy()) {
        ctx.shared.metrics.changed(&after.spec.target.region, &change);
        if matches!(change, Change::Finished(_)) {
            evidence::emit(after, Telling::First);
        }
    }
}

/// A pass ends with `job` waiting.
pub(super) fn waiting(to: &mut Outlet<'_>, job: &AuditLogReplayJob) {
    let clock = to.ctx.clock();
    if let Some(event) = to.announcer.waiting(job, clock) {
        publish(to.ctx, job, event, clock);
    }
}

fn publish(ctx: &Context, job: &AuditLogReplayJob, event: Event, clock: Clock) {
    let event = events::Event {
        action: ACTION,
        reason: event.reason.as_str(),
        type_: event.kind.as_str(),
        note: event.note,
        key: event.key,
    };
    ctx.shared.events.publish(job, event, clock.wall);
}
