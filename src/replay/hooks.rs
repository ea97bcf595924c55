//! What happens to jobs while they are watched: a new job has its place in its lane at once.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::watcher::Event;
use tracing::info;

use super::context::Context;
use super::reconcile::reconcile;
use super::rest::rest_from_the_start;
use super::vanished;
use crate::runtime::leader::Succession;
use crate::runtime::objects::Guarded;
use crate::runtime::shared::Shared;
use crate::runtime::watch::{Hooks, Watches};
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{Candidate, FirstSight, ObjectId, Woken, is_under_way};

/// What happens to the jobs of one scope.
pub(super) struct JobHooks {
    ctx: Arc<Context>,
    succession: Succession,
}

impl JobHooks {
    /// For one more scope.
    pub(super) fn new(ctx: &Arc<Context>, succession: Succession) -> Self {
        Self { ctx: Arc::clone(ctx), succession }
    }

    /// If it is unknown how the last leader ended, as its lease was deleted, an object that is under way shows that there was one.
    fn rest_if_under_way(&self, event: &Event<Guarded<AuditLogReplayJob>>) {
        let (Event::InitApply(object), Succession::Unknown) = (event, self.succession) else { return };
        if object.object().is_ok_and(is_under_way) && rest_from_the_start(&self.ctx) {
            info!(
                "there was no lease, and a replay is under way: no request is begun until nothing of a leader before can be on its way"
            );
        }
    }
}

impl Hooks for JobHooks {
    type Kind = AuditLogReplayJob;

    fn shared(&self) -> &Arc<Shared> {
        &self.ctx.shared
    }

    fn watches(&self) -> &Watches<AuditLogReplayJob> {
        &self.ctx.watches
    }

    /// A new object is in the scheduler from now on. What may be under way at Konnect reserves its lane and its target, before another
    /// job can take them. What is not waits in its lane: its first pass may come late, at a start after those of thousands of others,
    /// and none of them is to be sent before it if it expires first. That pass takes a job that cannot go out of the queue again.
    fn arrives(&self, job: &AuditLogReplayJob) {
        let (policy, now) = (self.ctx.policy(), self.ctx.clock().mono);
        let woken = match (FirstSight::of(job), Candidate::of(job, policy)) {
            (FirstSight::Waits, Some(who)) => self.ctx.scheduler().wait(&who, now),
            (FirstSight::Reserves, Some(who)) => self.ctx.scheduler().reserve(&who, now),
            (FirstSight::Nothing, _) | (_, None) => Woken::default(),
        };
        self.ctx.wake_all(woken);
    }

    fn sees(&self, event: &Event<Guarded<AuditLogReplayJob>>) {
        self.rest_if_under_way(event);
    }

    fn remembered(&self) -> Vec<ObjectId> {
        let known: Vec<ObjectId> = self.ctx.scheduler().everybody().cloned().collect();
        known.into_iter().chain(self.ctx.keeper.all()).collect()
    }

    fn forget(&self, namespace: &str, name: &str) {
        vanished::forget(&self.ctx, namespace, name);
    }

    async fn pass(&self, object: Arc<Guarded<AuditLogReplayJob>>) -> Action {
        reconcile(&object, &self.ctx).await
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;
    use crate::replay::testing::{context, job};
    use crate::runtime::watch::Arrivals;

    fn read(job: &AuditLogReplayJob) -> Guarded<AuditLogReplayJob> {
        serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap()
    }

    fn ended() -> AuditLogReplayJob {
        let condition = |type_: &str| {
            json!({ "type": type_, "status": "True", "reason": "Completed", "message": "",
                    "observedGeneration": 1, "lastTransitionTime": "2026-11-20T10:00:00Z" })
        };
        let status = json!({ "observedGeneration": 1, "conditions": [condition("Complete"), condition("Finished")] });
        let mut job = job("ended", 8);
        (job.metadata.generation, job.status) = (Some(1), serde_json::from_value(status).unwrap());
        job
    }

    /// What arrives from a watch that has shown nothing yet.
    fn of_an_empty_watch(ctx: Context) -> Arrivals<JobHooks> {
        let hooks = JobHooks::new(&Arc::new(ctx), Succession::InOrder);
        Arrivals::new(Arc::new(hooks), None, reflector::store().0)
    }

    /// Something is kept of a suspended or refused object too, which is in no lane.
    #[tokio::test]
    async fn after_a_list_a_job_that_has_an_entry_and_is_gone_gets_a_pass() {
        let (ctx, mut woken) = context();
        let gone = job("gone", 8);
        let (kept, _) = ctx.keeper.take(&gone);
        ctx.keeper.put(&gone, kept);
        let arrivals = of_an_empty_watch(ctx);
        arrivals.come(&Event::InitDone);
        assert_eq!(woken.try_recv().map(|object| object.name), Ok("gone".to_owned()));
    }

    #[tokio::test]
    async fn at_a_start_who_is_at_rest_needs_no_pass_and_later_everybody_does() {
        let (ctx, _woken) = context();
        ctx.watches.listed.expect([None].into_iter());
        let arrivals = of_an_empty_watch(ctx);
        let listed = |job: &AuditLogReplayJob| arrivals.needs_a_pass(&Event::InitApply(read(job)));
        let (mut edited, mut to_be_deleted) = (ended(), ended());
        edited.metadata.generation = Some(2);
        to_be_deleted.spec.ttl_seconds_after_finished = Some(60);
        assert!(!listed(&ended()));
        assert!(listed(&job("new", 8)) && listed(&edited) && listed(&to_be_deleted));
        assert!(arrivals.needs_a_pass(&Event::Apply(read(&ended()))));
        arrivals.come(&Event::InitDone);
        assert!(listed(&ended()), "listed again, it may be another one of that name");
    }
}
