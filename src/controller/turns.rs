//! One slow timer for all lanes, so that a lost wake-up is harmless: whoever waits has no timer of its own that would matter.

use std::convert::Infallible;
use std::time::Duration;

use super::context::Context;

/// How often the first of each lane is looked at, whatever happens.
pub(super) const FALLBACK: Duration = Duration::from_mins(1);

/// Wakes the first of each lane again and again. A pass of one that has to wait costs no call and no write.
pub(super) async fn keep_moving(ctx: &Context, every: Duration) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        let firsts = ctx.lanes().firsts(ctx.clock().mono);
        ctx.wake_all(&firsts);
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::controller::testing::{candidate, context, job};
    use crate::replay::Turn;

    #[tokio::test]
    async fn a_lost_wake_up_is_made_up_for() {
        let (ctx, mut woken) = context();
        let (first, second) = (candidate(&ctx, &job("first", 8)), candidate(&ctx, &job("second", 8)));
        assert_eq!(ctx.lanes().take(&first, Duration::ZERO), Turn::Ours);
        assert_ne!(ctx.lanes().take(&second, Duration::ZERO), Turn::Ours);
        // Nobody is told.
        ctx.lanes().leave(&first.id, Duration::ZERO);

        tokio::select! {
            never = keep_moving(&ctx, Duration::from_millis(1)) => match never {},
            object = woken.next() => assert_eq!(object.unwrap().name, "second"),
        }
    }
}
