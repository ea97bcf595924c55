//! The rest after a leader that did not end in order: no request is begun until nothing of that leader can be on its way.

use super::context::Context;

/// Has no request begun for one settle time, counted from the start of this term. Answers whether that is news.
pub(super) fn rest_from_the_start(ctx: &Context) -> bool {
    let (mut scheduler, now) = (ctx.scheduler(), ctx.clock().mono);
    if scheduler.is_resting(now) {
        return false;
    }
    scheduler.rest_until(ctx.policy().settle_time());
    scheduler.is_resting(now)
}
