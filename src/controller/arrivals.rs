//! What a watch tells, on its way into the cache: late word of earlier namesakes is left out, what is new has its place in the lane at
//! once, and what went while there was no watch is noticed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tracing::{debug, info, warn};

use super::context::Context;
use super::replayed::Index;
use super::slim::Guarded;
use crate::server::Readiness;
use konnect_replay_core::replay::{Candidate, FirstSight, ObjectId, Woken};

/// What arrives from the watch of one scope.
pub(super) struct Arrivals {
    pub(super) ctx: Arc<Context>,
    pub(super) scope: Option<String>,
    /// The cache that is filled.
    pub(super) known: Store<Guarded>,
    pub(super) replayed: Index,
    pub(super) readiness: Readiness,
    pub(super) refusals: Refusals,
}

/// What is known of the times that the API server did not let us list a scope.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Since when each try to list was refused, by the clock of this process.
    since: Mutex<Option<Duration>>,
    /// Whether the scope has been listed once.
    listed: AtomicBool,
}

impl Refusals {
    /// One more, at `now`. Answers how long it has been going on.
    fn note(&self, now: Duration) -> Duration {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_sub(*since.get_or_insert(now))
    }

    /// They are over. Answers whether there were any.
    fn end(&self) -> bool {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

impl Arrivals {
    /// Before it enters the cache. `None` if it is no news.
    pub(super) fn coming(&self, event: Event<Guarded>) -> Option<Event<Guarded>> {
        let event = match event {
            Event::Apply(object) => {
                let known = self.known(&object);
                if known.as_deref().is_some_and(|known| is_of_an_earlier_namesake(&object, known)) {
                    return None;
                }
                self.queue_if_new(&object, known.as_deref());
                Event::Apply(object)
            }
            Event::InitApply(object) => {
                let known = self.known(&object);
                self.queue_if_new(&object, known.as_deref());
                Event::InitApply(object.or_the_same(known.as_deref()))
            }
            Event::Delete(object) => {
                if self.known(&object).is_some_and(|known| known.uid() != object.uid()) {
                    return None;
                }
                Event::Delete(object)
            }
            Event::Init | Event::InitDone => event,
        };
        self.replayed.see(&event);
        Some(event)
    }

    /// When it has entered the cache.
    pub(super) fn come(&self, event: &Event<Guarded>) {
        if !matches!(event, Event::InitDone) {
            return;
        }
        self.refusals.listed.store(true, Ordering::Release);
        if self.refusals.end() {
            info!(namespace = self.scope, "its objects can be listed now");
        }
        if self.ctx.listed.seen(self.scope.as_ref()) {
            self.readiness.watch_is_complete();
            info!("ready");
        }
        self.look_for_the_vanished();
    }

    /// Instead of an event. A namespace that is gone, or whose role was taken from us, must not stop the work in all others: after one
    /// settle time of refusals nothing is expected of it. By then no request of an earlier leader can be on its way there either.
    pub(super) fn failed(&self, error: &watcher::Error) {
        let namespace = self.scope.as_deref();
        if !is_refusal(error) {
            self.refusals.end();
            warn!(namespace, %error, "the watch was interrupted and is resumed");
            return;
        }
        let lasted = self.refusals.note(self.ctx.clock().mono);
        if lasted.is_zero() {
            warn!(namespace, %error, "may not list AuditLogReplayJobs here: is there a RoleBinding? Tried again");
        } else {
            debug!(namespace, %error, "may not list AuditLogReplayJobs here");
        }
        if lasted >= self.ctx.config.policy.settle_time() && self.ctx.listed.excuse(self.scope.as_ref()) {
            self.readiness.watch_is_complete();
            warn!(namespace, "may still not list AuditLogReplayJobs here: the work begins without this namespace");
        }
    }

    /// Whether the scope has ever been listed.
    pub(super) fn has_been_listed(&self) -> bool {
        self.refusals.listed.load(Ordering::Acquire)
    }

    /// Whether a pass would find anything to do. At a start, the thousands that ended long ago need none.
    pub(super) fn needs_a_pass(&self, event: &Event<Guarded>) -> bool {
        let Event::InitApply(object) = event else { return true };
        self.ctx.listed.has(self.scope.as_ref()) || !object.is_at_rest()
    }

    fn known(&self, object: &Guarded) -> Option<Arc<Guarded>> {
        self.known.get(&ObjectRef::from_obj(object))
    }

    /// A new object is in the scheduler from now on. What may be under way at Konnect reserves its lane and its target, before another
    /// job can take them. What is not waits in its lane: its first pass may come late, at a start after those of thousands of others,
    /// and none of them is to be sent before it if it expires first. That pass takes a job that cannot go out of the queue again.
    fn queue_if_new(&self, object: &Guarded, known: Option<&Guarded>) {
        let is_new = known.is_none_or(|known| known.uid() != object.uid());
        let Some(job) = object.job().ok().filter(|_| is_new) else { return };
        let (policy, now) = (&self.ctx.config.policy, self.ctx.clock().mono);
        let woken = match (FirstSight::of(job), Candidate::of(job, policy)) {
            (FirstSight::Waits, Some(who)) => self.ctx.scheduler().wait(&who, now),
            (FirstSight::Reserves, Some(who)) => self.ctx.scheduler().reserve(&who, now),
            (FirstSight::Nothing, _) | (_, None) => Woken::default(),
        };
        self.ctx.wake_all(woken);
    }

    /// After a list, an object that something is kept of and that is not there is gone: its pass finds that out.
    fn look_for_the_vanished(&self) {
        let is_gone = |namespace: &str, name: &str| {
            let in_scope = self.scope.as_ref().is_none_or(|scope| scope == namespace);
            in_scope && self.known.get(&ObjectRef::new(name).within(namespace)).is_none()
        };
        let known: Vec<ObjectId> = self.ctx.scheduler().everybody().cloned().collect();
        let gone = known.into_iter().chain(self.ctx.keeper.everybody());
        self.ctx.wake_all(gone.filter(|who| is_gone(&who.namespace, &who.name)).collect());
    }
}

/// Whether the API server knows us, and does not let us read there.
fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => matches!(cause, kube::Error::Api(status) if status.code == 403),
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}

/// Whether `told` was deleted before `known`, which we know under its name, was made. A watch tells things in order, so this is no
/// news; believed, it would hide the object there is until somebody changes it.
fn is_of_an_earlier_namesake(told: &Guarded, known: &Guarded) -> bool {
    known.uid() != told.uid() && told.creation_timestamp() < known.creation_timestamp()
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;
    use crate::controller::testing::{context, job};
    use konnect_replay_core::api::AuditLogReplayJob;

    fn read(job: &AuditLogReplayJob) -> Guarded {
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
    fn of_an_empty_watch(ctx: Context) -> Arrivals {
        Arrivals {
            ctx: Arc::new(ctx),
            scope: None,
            known: reflector::store().0,
            replayed: Index::default(),
            readiness: Readiness::default(),
            refusals: Refusals::default(),
        }
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
        ctx.listed.expect(&[None]);
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
