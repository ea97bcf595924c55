//! Wakes the jobs whose turn comes by the clock: a failure may be tried again, or the reservation of an object that is gone ends.

use std::convert::Infallible;
use std::time::Duration;

use super::context::Context;

/// How late a job may be woken: how often the scheduler's clock is looked at.
const TICK: Duration = Duration::from_millis(500);

/// Wakes what is due, again and again.
pub(super) async fn keep_waking(ctx: &Context) -> Infallible {
    loop {
        let now = ctx.clock().mono;
        let (woken, next) = ctx.scheduler().due(now);
        ctx.wake_all(woken);
        tokio::time::sleep(next.map_or(TICK, |next| next.saturating_sub(now).min(TICK))).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::replay::testing::{candidate, context, job};

    #[tokio::test]
    async fn a_job_is_woken_when_the_reservation_of_an_object_that_is_gone_ends() {
        let (ctx, mut woken) = context();
        let (first, second) = (candidate(&ctx, &job("first", 8)), candidate(&ctx, &job("second", 8)));
        let now = ctx.clock().mono;
        let soon = now + Duration::from_millis(20);
        let mut woken_early = ctx.scheduler().reserve(&first, now);
        woken_early = woken_early.and(ctx.scheduler().wait(&second, now));
        woken_early = woken_early.and(ctx.scheduler().vanished(&first.id, soon, now));
        assert_eq!(woken_early, konnect_replay_core::replay::Woken::default());

        tokio::select! {
            never = keep_waking(&ctx) => match never {},
            object = woken.next() => assert_eq!(object.unwrap().name, "second"),
        }
        assert!(ctx.clock().mono >= soon);
    }
}
