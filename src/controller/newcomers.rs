//! Who goes first where many objects come at once.
//!
//! The controller works on what is due in no particular order, and the first look at an object costs writes. Behind those at hundreds of
//! objects that have to wait in their lanes anyway, others whose turn it is would wait for many seconds.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::context::Context;
use super::memory::Kept;
use crate::api::{AuditLogReplayJob, UNOBSERVED_GENERATION};
use crate::replay::{Candidate, ObjectId};

/// For how long the first look at an object is put off at a time.
pub(super) const PUT_OFF: Duration = Duration::from_millis(400);
/// How often at most, which makes 10 s: whatever holds the others up, an object is not to be without a word for longer.
const MOST_PUT_OFF: u32 = 25;

/// By base URL, the objects that came and need not wait for others of their lane, until their first pass that could call Konnect.
#[derive(Default)]
pub(super) struct Newcomers(Mutex<HashMap<String, HashSet<ObjectId>>>);

impl Newcomers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<ObjectId>>> {
        // Nothing is done under this lock that could panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `who` is none any more, or is gone.
    pub(super) fn no_more(&self, who: &ObjectId) {
        self.lock().retain(|_, newcomers| {
            newcomers.remove(who);
            !newcomers.is_empty()
        });
    }
}

impl Context {
    /// `who` has come, and has its place in its lane.
    pub(super) fn came(&self, who: &Candidate) {
        if !self.is_in_line(who) {
            self.newcomers.lock().entry(who.base_url.clone()).or_default().insert(who.id.clone());
        }
    }

    /// Whether the first look at `job` is put off for a moment, because others of its region could go.
    pub(super) fn lets_others_go_first(&self, job: &AuditLogReplayJob, kept: &Kept) -> bool {
        // Before its first look an object has the status that the CRD gives it.
        let is_looked_at =
            job.status.as_ref().is_some_and(|status| status.observed_generation != UNOBSERVED_GENERATION);
        if is_looked_at || kept.put_off >= MOST_PUT_OFF {
            return false;
        }
        let who = Candidate::of(job, &self.config.policy);
        who.is_some_and(|who| self.newcomers.lock().contains_key(&who.base_url) && self.is_in_line(&who))
    }

    /// A pass over `job` is over. One that ended in line for a right to call does not count.
    pub(super) fn had_its_pass(&self, job: &AuditLogReplayJob, kept: &Kept) {
        // At most times nobody is new, and nothing has to be found out.
        if self.newcomers.lock().is_empty() {
            return;
        }
        let who = kept.id(job);
        if !self.permits.are_awaited_by(&who) {
            self.newcomers.no_more(&who);
        }
    }

    fn is_in_line(&self, who: &Candidate) -> bool {
        self.lanes().blocker(who, self.clock().mono).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AuditLogReplayJobStatus;
    use crate::controller::testing::{candidate, context, job};

    fn come(ctx: &Context, job: &AuditLogReplayJob) -> Candidate {
        let who = candidate(ctx, job);
        ctx.lanes().wait(&who);
        ctx.came(&who);
        who
    }

    #[tokio::test]
    async fn who_has_to_wait_anyway_is_looked_at_after_who_could_go() {
        let (ctx, _woken) = context();
        let (first, mut second) = (job("first", 8), job("second", 9));
        let who = come(&ctx, &first);
        come(&ctx, &second);
        let lets = |job: &AuditLogReplayJob, put_off| {
            let mut kept = ctx.keeper.take(job).0;
            kept.put_off = put_off;
            ctx.lets_others_go_first(job, &kept)
        };
        assert!(!lets(&first, 0) && lets(&second, 0));
        assert!(!lets(&second, MOST_PUT_OFF), "not for ever");
        second.status = Some(AuditLogReplayJobStatus { observed_generation: 1, ..AuditLogReplayJobStatus::default() });
        assert!(!lets(&second, 0), "it has been looked at");
        second.status = Some(AuditLogReplayJobStatus::default());
        assert!(lets(&second, 0), "the status that the CRD gives it is no look");
        ctx.newcomers.no_more(&who.id);
        assert!(!lets(&second, 0));
    }

    #[tokio::test]
    async fn a_pass_that_ends_in_line_for_a_right_to_call_does_not_count() {
        let (ctx, _woken) = context();
        let (first, second) = (job("first", 8), job("second", 9));
        let who = come(&ctx, &first);
        come(&ctx, &second);
        let others = (0..8).map(|n| candidate(&ctx, &job(&format!("other-{n}"), 8)));
        let mut given: Vec<_> = others.map(|other| ctx.permit(&other.base_url, &other.id).unwrap()).collect();
        let (of_first, of_second) = (ctx.keeper.take(&first).0, ctx.keeper.take(&second).0);
        assert!(ctx.permit(&who.base_url, &who.id).is_none());
        ctx.had_its_pass(&first, &of_first);
        assert!(ctx.lets_others_go_first(&second, &of_second), "it could not go");
        given.clear();
        assert!(ctx.permit(&who.base_url, &who.id).is_some());
        ctx.had_its_pass(&first, &of_first);
        assert!(!ctx.lets_others_go_first(&second, &of_second));
    }
}
