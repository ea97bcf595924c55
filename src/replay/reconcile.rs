//! One job, each time it is due: by a change, a timer or a wake-up. What a pass does is in [`super::pass`].

use std::time::Duration;

use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use tracing::warn;

use super::context::Context;
use super::kept::{Entry, Kept};
use super::pass::Pass;
use super::{log, vanished};
use crate::runtime::objects::{Guarded, KubeError};
use crate::runtime::pass::{LOOK_AGAIN, PassError, contained};
use konnect_replay_core::api::{AuditLogReplayJob, UNOBSERVED_GENERATION};
use konnect_replay_core::replay::{Candidate, is_finished};

/// How much later a new job is looked at that has to wait for others of its lane anyway. Where many objects are created at once, the
/// jobs whose turn it is are not kept waiting by the first status of all others.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How often that is done while jobs whose turn it is stand in line for a call to Konnect. After that the job gets a status that says
/// what it waits for.
const MAX_PUT_OFF: u8 = 10;

/// One pass. Never fails as a whole: what goes wrong is logged, and tried again with growing spacing.
pub(super) async fn reconcile(watched: &Guarded<AuditLogReplayJob>, ctx: &Context) -> Action {
    // Parse: an object of another version of the CRD is left alone.
    let job = match watched.object() {
        Ok(job) => job,
        Err(invalid) => return leave_alone(ctx, invalid),
    };
    // Take a worker, and nothing new once the end of the process is requested.
    let Some(_worker) = ctx.shared.worker(&ctx.watches.listed).await else { return Action::await_change() };
    // Take what is kept of it, and let go what was kept of an earlier object of its name.
    let (mut entry, former) = ctx.keeper.take(job);
    vanished::replaced(ctx, job, former.as_ref());
    // Let others go first: a new job that must wait anyway costs those whose turn it is nothing.
    if lets_others_go_first(ctx, job, entry.kept.put_off) {
        return put_off(ctx, job, entry);
    }
    // Run the pass: a panic ends it, and nothing else.
    let pass = Box::pin(async { Pass::new(ctx, job, &mut entry.kept).run().await });
    let result = contained(&ctx.shared.metrics, pass).await;
    // Keep what was learned, or back off.
    match result {
        Ok(action) => keep(ctx, job, entry, action),
        Err(PassError::Kube(KubeError::Gone)) => look_again(ctx, job, &entry),
        Err(failure) => back_off(ctx, job, entry, &failure),
    }
}

/// An object that does not parse gives up what it held: it holds up no other.
fn leave_alone(ctx: &Context, invalid: &InvalidObject) -> Action {
    let (namespace, name) = (&invalid.metadata.namespace, &invalid.metadata.name);
    vanished::forget(ctx, namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default());
    warn!(
        namespace,
        name,
        error = invalid.error,
        "this object does not parse and is left alone: it was written for another version of the CRD"
    );
    Action::await_change()
}

/// Whether the first look at `job` can wait: it has to wait for another job of its lane anyway. It waits once in any case, as those
/// that are created together arrive one by one.
fn lets_others_go_first(ctx: &Context, job: &AuditLogReplayJob, put_off: u8) -> bool {
    // Before its first look an object has the status that the CRD gives it.
    let is_looked_at = job.status.as_ref().is_some_and(|status| status.observed_generation != UNOBSERVED_GENERATION);
    if is_looked_at || put_off >= MAX_PUT_OFF {
        return false;
    }
    Candidate::of(job, ctx.policy()).is_some_and(|who| {
        let has_time = put_off == 0 || ctx.shared.calls.has_line(who.route.base_url());
        has_time && ctx.scheduler().blocker(&who, ctx.clock().mono).is_some()
    })
}

/// The first look at `job` comes a moment later.
fn put_off(ctx: &Context, job: &AuditLogReplayJob, mut entry: Entry) -> Action {
    entry.kept.put_off += 1;
    ctx.keeper.put(job, entry);
    Action::requeue(OTHERS_FIRST)
}

/// The pass ended as decided.
fn keep(ctx: &Context, job: &AuditLogReplayJob, mut entry: Entry, action: Action) -> Action {
    entry.succeeded();
    entry.kept.knows_nothing = false;
    if !is_finished(job) {
        ctx.keeper.put(job, entry);
    }
    action
}

/// The object is gone. One API server of several may not know it yet: what it may have under way stays reserved.
fn look_again(ctx: &Context, job: &AuditLogReplayJob, entry: &Entry) -> Action {
    vanished::vanished(ctx, &entry.id(job), Some(entry));
    Action::requeue(LOOK_AGAIN)
}

/// The pass failed: it is tried again, later with each failure in a row.
fn back_off(ctx: &Context, job: &AuditLogReplayJob, mut entry: Entry, failure: &PassError) -> Action {
    log::failure(job, failure);
    if matches!(failure, PassError::Panicked) {
        // It gives up what it reserved, unless a request of it may be on its way: a bug of one job holds up no other.
        vanished::vanished(ctx, &entry.id(job), Some(&entry));
        // What was kept may be half of something: the next pass starts from the object alone.
        entry.kept = Kept::after_a_panic();
    }
    let wait = entry.failed();
    ctx.keeper.put(job, entry);
    Action::requeue(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::testing::{candidate, context_and_stop, job};

    /// Each watched namespace has a controller of its own; the number of workers is that of the process.
    #[tokio::test]
    async fn no_pass_begins_while_all_workers_are_busy() {
        let (ctx, _woken, _say_stop) = context_and_stop();
        let mut busy = Vec::new();
        for _ in 0..ctx.shared.config.concurrency {
            busy.push(ctx.shared.worker(&ctx.watches.listed).await);
        }
        let mut deleted = serde_json::to_value(job("deleted", 8)).unwrap();
        deleted["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z".into();
        let deleted: Guarded<AuditLogReplayJob> = serde_json::from_value(deleted).unwrap();
        let mut pass = Box::pin(reconcile(&deleted, &ctx));
        assert!(futures::poll!(&mut pass).is_pending());
        assert!(futures::poll!(&mut pass).is_pending(), "asked again");
        busy.pop();
        assert_eq!(pass.await, Action::await_change());
    }

    /// Until the jobs whose turn it is have been served; but its first status comes within seconds all the same.
    #[tokio::test]
    async fn while_others_stand_in_line_for_a_call_the_first_look_at_a_job_that_waits_anyway_is_put_off() {
        let (ctx, _woken, _say_stop) = context_and_stop();
        let (first, second) = (job("first", 8), job("second", 9));
        for waiting in [&first, &second] {
            let _ = ctx.scheduler().wait(&candidate(&ctx, waiting), ctx.clock().mono);
        }
        assert!(!lets_others_go_first(&ctx, &first, 0), "its turn has come");
        assert!(lets_others_go_first(&ctx, &second, 0), "once in any case");
        assert!(!lets_others_go_first(&ctx, &second, 1), "no job stands in line");
        let caller = candidate(&ctx, &first);
        let calls: Vec<_> =
            std::iter::repeat_with(|| ctx.shared.calls.permit(caller.route.base_url(), &caller.id)).take(9).collect();
        assert!(calls.iter().any(Option::is_none), "half of 16 may call");
        assert!(!lets_others_go_first(&ctx, &first, 0));
        assert!(lets_others_go_first(&ctx, &second, 1) && lets_others_go_first(&ctx, &second, MAX_PUT_OFF - 1));
        assert!(!lets_others_go_first(&ctx, &second, MAX_PUT_OFF));
    }

    /// An object that stops parsing holds up no other job: what waits gives up its place, what may be under way only until it must show.
    #[tokio::test]
    async fn an_object_that_does_not_parse_gives_up_what_it_held() {
        let (ctx, _woken, _say_stop) = context_and_stop();
        let (odd, next) = (job("odd", 8), job("next", 9));
        let (before, after) = (candidate(&ctx, &odd), candidate(&ctx, &next));
        let mut unread = serde_json::to_value(&odd).unwrap();
        unread["spec"]["webhookPolicy"] = "OfALaterVersion".into();
        let unread: Guarded<AuditLogReplayJob> = serde_json::from_value(unread).unwrap();
        let blocks =
            |after: &konnect_replay_core::replay::Candidate| ctx.scheduler().blocker(after, ctx.clock().mono).is_some();

        let _ = ctx.scheduler().wait(&before, ctx.clock().mono);
        let _ = ctx.scheduler().wait(&after, ctx.clock().mono);
        assert!(blocks(&after));
        assert_eq!(reconcile(&unread, &ctx).await, Action::await_change());
        assert!(!blocks(&after), "it waits behind an object that nobody can read");

        let _ = ctx.scheduler().reserve(&before, ctx.clock().mono);
        assert_eq!(reconcile(&unread, &ctx).await, Action::await_change());
        assert_eq!(
            vanished::departure(&ctx),
            crate::runtime::leader::Departure::Unsettled,
            "its request may be on its way"
        );
    }
}
