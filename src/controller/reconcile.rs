//! Every object is worked on in passes. A pass that fails is tried again with growing spacing; one that panics is contained. What a
//! pass does is in [`super::pass`].

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::runtime::controller::Action;
use tracing::warn;

use super::actions::KubeError;
use super::context::{Context, Guarded};
use super::memory::Kept;
use super::pass::{Pass, PassError};
use super::{log, newcomers};
use crate::api::AuditLogReplayJob;
use crate::metrics::PassResult;
use crate::replay::{Hold, holds_turn, is_finished};

/// Longest wait after passes that failed.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// Passes over an object that fail in a row before others of its lane go first: a moment's trouble costs it nothing.
const FAILURES_BEFORE_OTHERS: u32 = 3;

/// One pass. Never fails as a whole: what goes wrong is logged, and tried again with growing spacing.
pub(super) async fn reconcile(watched: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let job = match watched.job() {
        Ok(job) => job,
        Err(invalid) => {
            warn!(
                namespace = invalid.metadata.namespace,
                name = invalid.metadata.name,
                error = invalid.error,
                "this object does not parse and is left alone: it was written for another version of the CRD"
            );
            return Ok(Action::await_change());
        }
    };
    tokio::select! {
        () = ctx.listed.is_complete() => {}
        () = ctx.stop.requested() => {}
    }
    if ctx.stop.is_requested() {
        return Ok(Action::await_change());
    }
    let (mut kept, former) = ctx.keeper.take(job);
    ctx.replaced(job, former.as_ref());
    if ctx.lets_others_go_first(job, &kept) {
        kept.put_off += 1;
        ctx.keeper.put(job, kept);
        return Ok(Action::requeue(newcomers::PUT_OFF));
    }
    let failures = kept.failures;
    let measured = ctx.metrics.pass();
    let result = contained(Box::pin(async { Pass::new(&ctx, job, &mut kept).run().await })).await;
    measured.end(measure(&result));
    ctx.had_its_pass(job, &kept);
    match result {
        Ok(action) => {
            (kept.failures, kept.knows_nothing) = (0, false);
            if !is_finished(job) {
                ctx.keeper.put(job, kept);
            }
            Ok(action)
        }
        Err(PassError::Kube(KubeError::Gone)) => {
            // Nobody will ask for this object again.
            ctx.vanished(&kept.id(job), Some(&kept));
            Ok(Action::await_change())
        }
        Err(failure) => {
            log::failure(job, &failure);
            if matches!(failure, PassError::Panicked) {
                // What was kept may be half of something: the next pass starts from the object alone.
                kept = kept.emptied();
            }
            kept.failures = failures.saturating_add(1);
            if kept.failures >= FAILURES_BEFORE_OTHERS {
                let_others_go(&ctx, job, &mut kept);
            }
            ctx.keeper.put(job, kept);
            Ok(Action::requeue(backoff(failures)))
        }
    }
}

/// Gives up the place of an object with which nothing succeeds, unless a run of it may be under way: its next pass asks for it anew.
fn let_others_go(ctx: &Context, watched: &AuditLogReplayJob, kept: &mut Kept) {
    let (job, now) = (kept.own.newest(watched), ctx.clock().mono);
    let who = kept.id(&job);
    let may_be_lost_from_view = kept.knows_nothing && ctx.lanes().holds(&who);
    if !may_be_lost_from_view && holds_turn(&job, &kept.memory, None, now) == Hold::Nothing {
        let woken = ctx.lanes().leave(&who, now);
        ctx.wake_all(&woken);
    }
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
