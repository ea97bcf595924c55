//! The evidence of jobs that ended before this start. The leader before may have ended between the end of a job and the record of it:
//! the next leader leaves the record once more.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use tracing::{debug, warn};

use super::context::Context;
use crate::evidence::{self, Telling};
use crate::runtime::objects::{Kind, ListError, Whole, brief, is_refusal};
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{End, end};

/// Objects on their way at once, of all scopes together, that are read whole: fewer than in the lists of the watches, which may be under
/// way too.
const PAGE: u32 = 10;
/// Spacing of tries to list objects whose records are repeated.
const LIST_RETRY: Duration = Duration::from_secs(2);
/// How long that is tried for each scope.
const LIST_LIMIT: Duration = Duration::from_mins(15);

/// Leaves the records of the jobs that ended lately once more, if `repeat`. Beside the work, which nothing of this delays: a namespace
/// that cannot be listed, a page that is slow or a list that expires is given up after a while.
pub(super) async fn repeat_the_last(ctx: &Context, repeat: bool) {
    if !repeat {
        return;
    }
    // The lists of the watches come first: two at a time would take the memory of both.
    ctx.watches.listed.is_complete().await;
    for scope in ctx.shared.scopes.iter() {
        if let Err(why) = repeat_those_of(ctx, scope).await {
            warn!(
                namespace = scope,
                error = brief(why.as_ref()),
                "the evidence of jobs that ended before this start may be missing from the log: they could not be listed"
            );
        }
    }
}

async fn repeat_those_of(ctx: &Context, scope: Option<&str>) -> Result<(), ListError> {
    let told = RefCell::new(HashSet::new());
    let see = |object: &Whole<AuditLogReplayJob>| {
        if let Some(job) = object.object()
            && has_lately_ended(ctx, job)
            && told.borrow_mut().insert(job.uid())
        {
            evidence::emit(job, Telling::Repeated);
        }
    };
    let (objects, page) = (ctx.shared.objects(), ctx.shared.scopes.page(PAGE));
    let give_up = Instant::now() + LIST_LIMIT;
    loop {
        match objects.each(scope, page, see).await {
            Err(error) if !is_refusal(error.as_ref()) && Instant::now() < give_up => {
                let plural = AuditLogReplayJob::PLURAL;
                debug!(error = brief(error.as_ref()), "cannot list {plural} for evidence; tried again");
                tokio::time::sleep(LIST_RETRY).await;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the leader before may have ended just after it wrote down the end of this job, and before it left the record of it. How
/// long there was no leader since is not known; longer than Konnect keeps events is not looked back.
fn has_lately_ended(ctx: &Context, job: &AuditLogReplayJob) -> bool {
    let age = |end: End| (ctx.clock().wall - end.at).to_std().unwrap_or_default();
    end(job).is_some_and(|end| age(end) < ctx.policy().retention)
}
