//! What the watch has shown of the other objects of a namespace. No call is made for it, and it may lag behind: what it does not
//! show yet, Konnect's own job does.

use kube::ResourceExt;

use super::context::Context;
use konnect_replay_core::replay::{Course, Sibling};

/// The objects of the job's namespace whose records show all of its window replayed, itself left out.
pub(super) fn siblings(ctx: &Context, course: &Course) -> Vec<Sibling> {
    let (job, Ok(validated)) = (course.job(), course.validated()) else { return Vec::new() };
    let namespace = job.namespace().unwrap_or_default();
    let covering = ctx.replayed.covering(job, validated.window);
    let shown = covering.iter().filter_map(|name| ctx.watches.stores.get(&namespace, name));
    shown
        .filter_map(|guarded| {
            let other = guarded.object().ok().filter(|other| other.uid() != job.uid())?;
            Sibling::of(other, ctx.policy())
        })
        .collect()
}
