//! Objects that come and go without a pass of their own: those that the watch shows for the first time have their place in the lane
//! at once, and those that went while there was no watch are noticed.

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;

use super::context::{Context, Guarded};
use crate::replay::{Candidate, ObjectId, awaits_its_turn};

/// What is new waits in its lane from now on. Its first pass may come late: at start, after those of thousands of others, of which
/// none is to be sent before it if it expires first. That pass also takes the place away again from one that cannot go.
pub(super) fn queue(ctx: &Context, event: &watcher::Event<Guarded>, known: &Store<Guarded>) {
    let (watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event else { return };
    let is_new = known.get(&ObjectRef::from_obj(object)).is_none_or(|known| known.uid() != object.uid());
    let Some(job) = object.0.as_ref().ok().filter(|job| is_new && awaits_its_turn(job)) else { return };
    let Some(candidate) = Candidate::of(job, &ctx.config.policy) else { return };
    let mut lanes = ctx.lanes();
    if !lanes.holds(&candidate.id) {
        lanes.wait(&candidate);
    }
}

/// After a list, whoever has a place and is not in `shown`, all that there is in `scope`, is gone: a pass finds that out and gives the
/// place up in good order.
pub(super) fn look_for_the_vanished(ctx: &Context, scope: Option<&str>, shown: &Store<Guarded>) {
    let is_gone = |who: &ObjectId| {
        let in_scope = scope.is_none_or(|namespace| namespace == who.namespace);
        in_scope && shown.get(&ObjectRef::new(&who.name).within(&who.namespace)).is_none()
    };
    let gone: Vec<ObjectId> = ctx.lanes().everybody().filter(|who| is_gone(who)).cloned().collect();
    ctx.wake_all(&gone);
}
