//! Every object is worked on in passes. A pass that fails is tried again with growing spacing; one that panics is contained. What a
//! pass does is in [`super::pass`].

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::runtime::controller::Action;
use tracing::warn;

use super::context::Context;
use super::error::{KubeError, PassError};
use super::log;
use super::pass::Pass;
use super::slim::Guarded;
use crate::metrics::PassResult;
use konnect_replay_core::api::{AuditLogReplayJob, UNOBSERVED_GENERATION};
use konnect_replay_core::replay::{Candidate, is_finished};

/// Longest wait after passes that failed.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// How much later a new job is looked at that has to wait for others of its lane anyway. Where many objects are created at once, the
/// jobs whose turn it is are not kept waiting by the first status of all others.
const OTHERS_FIRST: Duration = Duration::from_secs(1);
/// How often that is done while jobs whose turn it is stand in line for a call to Konnect. After that the job gets a status that says
/// what it waits for.
const MAX_PUT_OFF: u8 = 10;
/// When an object that could not be read is looked for again. If it is gone, the watch says so.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// One pass. Never fails as a whole: what goes wrong is logged, and tried again with growing spacing.
pub(super) async fn reconcile(watched: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let job = match watched.job() {
        Ok(job) => job,
        Err(invalid) => {
            ctx.forget(
                invalid.metadata.namespace.as_deref().unwrap_or_default(),
                invalid.metadata.name.as_deref().unwrap_or_default(),
            );
            warn!(
                namespace = invalid.metadata.namespace,
                name = invalid.metadata.name,
                error = invalid.error,
                "this object does not parse and is left alone: it was written for another version of the CRD"
            );
            return Ok(Action::await_change());
        }
    };
    let _worker = tokio::select! {
        biased;
        () = ctx.stop.requested() => return Ok(Action::await_change()),
        worker = ctx.worker() => worker,
    };
    let (mut kept, former) = ctx.keeper.take(job);
    ctx.replaced(job, former.as_ref());
    if lets_others_go_first(&ctx, job, kept.put_off) {
        kept.put_off += 1;
        ctx.keeper.put(job, kept);
        return Ok(Action::requeue(OTHERS_FIRST));
    }
    let failures = kept.failures;
    let measured = ctx.metrics.pass();
    let result = contained(Box::pin(async { Pass::new(&ctx, job, &mut kept).run().await })).await;
    measured.end(measure(&result));
    match result {
        Ok(action) => {
            (kept.failures, kept.knows_nothing) = (0, false);
            if !is_finished(job) {
                ctx.keeper.put(job, kept);
            }
            Ok(action)
        }
        Err(PassError::Kube(KubeError::Gone)) => {
            // One API server of several may not know it yet: what it may have under way stays reserved.
            ctx.vanished(&kept.id(job), Some(&kept));
            Ok(Action::requeue(LOOK_AGAIN))
        }
        Err(failure) => {
            log::failure(job, &failure);
            if matches!(failure, PassError::Panicked) {
                // It gives up what it reserved, unless a request of it may be on its way: a bug of one job holds up no other.
                ctx.vanished(&kept.id(job), Some(&kept));
                // What was kept may be half of something: the next pass starts from the object alone.
                kept = kept.emptied();
            }
            kept.failures = failures.saturating_add(1);
            ctx.keeper.put(job, kept);
            Ok(Action::requeue(backoff(failures)))
        }
    }
}

/// Whether the first look at `job` can wait: it has to wait for another job of its lane anyway. It waits once in any case, as those
/// that are created together arrive one by one.
fn lets_others_go_first(ctx: &Context, job: &AuditLogReplayJob, put_off: u8) -> bool {
    // Before its first look an object has the status that the CRD gives it.
    let is_looked_at = job.status.as_ref().is_some_and(|status| status.observed_generation != UNOBSERVED_GENERATION);
    let who = Candidate::of(job, &ctx.config.policy).filter(|_| !is_looked_at);
    who.is_some_and(|who| {
        let has_time = put_off == 0 || (put_off < MAX_PUT_OFF && ctx.calls().has_line(who.route.base_url()));
        has_time && ctx.scheduler().blocker(&who, ctx.clock().mono).is_some()
    })
}

/// An object that is gone was nobody's failure.
fn measure(result: &Result<Action, PassError>) -> PassResult {
    match result {
        Ok(action) if *action == Action::await_change() => PassResult::Success,
        Ok(_) => PassResult::RequeueAfter,
        Err(PassError::Kube(KubeError::Gone)) => PassResult::Success,
        Err(PassError::Kube(_) | PassError::Circles(_)) => PassResult::Error,
        Err(PassError::Panicked) => PassResult::Panic,
    }
}

/// Runs a pass so that a panic ends it, and nothing else.
async fn contained(pass: impl Future<Output = Result<Action, PassError>>) -> Result<Action, PassError> {
    std::panic::AssertUnwindSafe(pass).catch_unwind().await.unwrap_or(Err(PassError::Panicked))
}

fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(1 << failures.min(6)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{candidate, context_and_stop, job};

    /// Each watched namespace has a controller of its own; the number of workers is that of the process.
    #[tokio::test]
    async fn no_pass_begins_while_all_workers_are_busy() {
        let (ctx, _woken, _say_stop) = context_and_stop();
        let ctx = Arc::new(ctx);
        let mut busy = Vec::new();
        for _ in 0..ctx.config.concurrency {
            busy.push(ctx.worker().await);
        }
        let mut deleted = serde_json::to_value(job("deleted", 8)).unwrap();
        deleted["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z".into();
        let deleted: Guarded = serde_json::from_value(deleted).unwrap();
        let mut pass = Box::pin(reconcile(Arc::new(deleted), Arc::clone(&ctx)));
        assert!(futures::poll!(&mut pass).is_pending());
        assert!(futures::poll!(&mut pass).is_pending(), "asked again");
        busy.pop();
        assert_eq!(pass.await, Ok(Action::await_change()));
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
            std::iter::repeat_with(|| ctx.permit(caller.route.base_url(), &caller.id)).take(9).collect();
        assert!(calls.iter().any(Option::is_none), "half of 16 may call");
        assert!(!lets_others_go_first(&ctx, &first, 0));
        assert!(lets_others_go_first(&ctx, &second, 1) && lets_others_go_first(&ctx, &second, MAX_PUT_OFF - 1));
        assert!(!lets_others_go_first(&ctx, &second, MAX_PUT_OFF));
    }

    /// An object that stops parsing holds up nobody: what waits gives up its place, what may be under way only until it must show.
    #[tokio::test]
    async fn an_object_that_does_not_parse_gives_up_what_it_held() {
        let (ctx, _woken, _say_stop) = context_and_stop();
        let ctx = Arc::new(ctx);
        let (odd, next) = (job("odd", 8), job("next", 9));
        let (before, after) = (candidate(&ctx, &odd), candidate(&ctx, &next));
        let mut unread = serde_json::to_value(&odd).unwrap();
        unread["spec"]["webhookPolicy"] = "OfALaterVersion".into();
        let unread: Arc<Guarded> = Arc::new(serde_json::from_value(unread).unwrap());
        let blocks =
            |after: &konnect_replay_core::replay::Candidate| ctx.scheduler().blocker(after, ctx.clock().mono).is_some();

        let _ = ctx.scheduler().wait(&before, ctx.clock().mono);
        let _ = ctx.scheduler().wait(&after, ctx.clock().mono);
        assert!(blocks(&after));
        assert_eq!(reconcile(Arc::clone(&unread), Arc::clone(&ctx)).await, Ok(Action::await_change()));
        assert!(!blocks(&after), "it waits behind an object that nobody can read");

        let _ = ctx.scheduler().reserve(&before, ctx.clock().mono);
        assert_eq!(reconcile(unread, Arc::clone(&ctx)).await, Ok(Action::await_change()));
        assert_eq!(ctx.departure(), crate::leader::Departure::Unsettled, "its request may be on its way");
    }

    #[tokio::test]
    async fn a_panic_ends_one_pass_and_nothing_else() {
        let result = contained(async { panic!("a bug") }).await;
        assert!(matches!(result, Err(PassError::Panicked)));
    }

    #[test]
    fn failed_passes_are_spaced_from_one_second_to_one_minute() {
        let seconds: Vec<u64> = [0, 1, 2, 5, 6, 7, u32::MAX].map(|n| backoff(n).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }
}
