//! Objects that come and go without a pass of their own: those that the watch shows for the first time have their place in the lane
//! at once, and those that went while there was no watch are noticed.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use tokio::sync::watch;

use super::context::{Context, Guarded};
use crate::replay::{Candidate, ObjectId, awaits_its_turn, is_finished, is_under_way};

/// What is new has its place from now on. What may be under way at Konnect has its lane and target reserved, before anybody else can
/// take them. What is not waits in its lane: its first pass may come late, at start after those of thousands of others, of which none
/// is to be sent before it if it expires first. That pass also takes the place away again from one that cannot go.
pub(super) fn queue(ctx: &Context, event: &watcher::Event<Guarded>, known: &Store<Guarded>) {
    let (watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event else { return };
    let is_new = known.get(&ObjectRef::from_obj(object)).is_none_or(|known| known.uid() != object.uid());
    let Some(job) = object.job().ok().filter(|_| is_new) else { return };
    let Some(candidate) = Candidate::of(job, &ctx.config.policy).filter(|_| !is_finished(job)) else { return };
    if is_under_way(job) {
        ctx.lanes().hold(&candidate);
    } else if awaits_its_turn(job) {
        ctx.lanes().wait(&candidate);
    }
}

/// Whether all that there is has been listed. What is reserved in one namespace concerns the others too, so until then no pass begins.
#[derive(Debug, Default)]
pub(super) struct Listed {
    missing: watch::Sender<BTreeSet<Option<String>>>,
}

impl Listed {
    /// Takes note of what is to be listed.
    pub(super) fn expect(&self, scopes: &[Option<String>]) {
        self.missing.send_replace(scopes.iter().cloned().collect());
    }

    /// Takes note that `scope` has been listed, perhaps once more.
    pub(super) fn seen(&self, scope: Option<&String>) {
        self.missing.send_if_modified(|missing| missing.remove(&scope.cloned()));
    }

    /// Resolves when nothing is missing.
    pub(super) async fn is_complete(&self) {
        // The sender is ours, so that this cannot fail.
        let _ = self.missing.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}

/// After a list, whoever has a place and is not in `shown`, all that there is in `scope`, is gone: a pass finds that out and gives the
/// place up in good order.
pub(super) fn look_for_the_vanished(ctx: &Context, scope: Option<&String>, shown: &Store<Guarded>) {
    let is_gone = |who: &ObjectId| {
        let in_scope = scope.is_none_or(|namespace| *namespace == who.namespace);
        in_scope && shown.get(&ObjectRef::new(&who.name).within(&who.namespace)).is_none()
    };
    let gone: Vec<ObjectId> = ctx.lanes().everybody().filter(|who| is_gone(who)).cloned().collect();
    ctx.wake_all(&gone);
}
