//! The permit to call Konnect, for the length of one pass: see [`konnect_replay_core::replay::CallLimit`].

use std::time::Duration;

use super::context::Context;
use konnect_replay_core::replay::ObjectId;

/// How soon a job without a permit asks again. A job in line is woken; this is for a wake-up that is lost.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// The permit to call Konnect, until it is dropped.
pub(super) struct Permit<'a> {
    ctx: &'a Context,
    base_url: String,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let woken = self.ctx.calls().ended(&self.base_url, self.ctx.clock().mono);
        self.ctx.wake_all(woken);
    }
}

impl Context {
    /// The permit for `who` to call Konnect at `base_url`. Without one it stands in line, and is woken.
    pub(super) fn permit(&self, base_url: &str, who: &ObjectId) -> Option<Permit<'_>> {
        let (may_begin, woken) = self.calls().begin(base_url, who, self.clock().mono);
        self.wake_all(woken);
        may_begin.then(|| Permit { ctx: self, base_url: base_url.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use crate::controller::testing::{candidate, context, job};

    #[tokio::test]
    async fn a_call_that_ends_wakes_the_next_in_line() {
        let (ctx, mut woken) = context();
        let who = |n: u32| candidate(&ctx, &job(&format!("job-{n}"), 8));
        let ask = |n: u32| ctx.permit(who(n).route.base_url(), &who(n).id);
        let mut permits: Vec<_> = (0..8).map(|n| ask(n).expect("half of 16")).collect();
        assert!(ask(8).is_none() && ask(9).is_none());
        assert!(woken.try_recv().is_err(), "no call is free");
        permits.pop();
        assert_eq!(woken.try_recv().unwrap().name, "job-8");
        assert!(ask(9).is_none() && ask(8).is_some());
    }
}
