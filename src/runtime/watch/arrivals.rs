//! The events of a watch, on their way into the store. A late event of an earlier object of the same name is dropped, the kind's hooks see
//! a new object at once, and an object that was deleted while there was no watch gets a pass.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tracing::{debug, info, warn};

use super::hooks::Hooks;
use super::refusals::{Refusals, is_refusal};
use crate::runtime::objects::{Guarded, Kind};

/// The events of the watch of one scope.
pub(crate) struct Arrivals<H: Hooks> {
    /// What the kind does with them.
    pub(super) hooks: Arc<H>,
    scope: Option<String>,
    /// The store that is filled.
    known: Store<Guarded<H::Kind>>,
    refusals: Refusals,
}

impl<H: Hooks> Arrivals<H> {
    /// Nothing has arrived yet.
    pub(crate) fn new(hooks: Arc<H>, scope: Option<String>, known: Store<Guarded<H::Kind>>) -> Self {
        Self { hooks, scope, known, refusals: Refusals::default() }
    }

    /// Before `event` enters the store. `None` if the event is to be dropped.
    pub(super) fn coming(&self, event: Event<Guarded<H::Kind>>) -> Option<Event<Guarded<H::Kind>>> {
        let event = match event {
            Event::Apply(object) => {
                let known = self.known(&object);
                if known.as_deref().is_some_and(|known| is_of_an_earlier_object(&object, known)) {
                    return None;
                }
                self.greet_if_new(&object, known.as_deref());
                Event::Apply(object)
            }
            Event::InitApply(object) => {
                let known = self.known(&object);
                self.greet_if_new(&object, known.as_deref());
                Event::InitApply(object.or_the_same(known.as_deref()))
            }
            Event::Delete(object) => {
                if self.known(&object).is_some_and(|known| known.uid() != object.uid()) {
                    return None;
                }
                Event::Delete(object)
            }
            Event::Init | Event::InitDone => event,
        };
        self.hooks.sees(&event);
        Some(event)
    }

    /// When `event` has entered the store.
    pub(crate) fn come(&self, event: &Event<Guarded<H::Kind>>) {
        if !matches!(event, Event::InitDone) {
            return;
        }
        if self.refusals.listed() {
            info!(namespace = self.scope, "its objects can be listed now");
        }
        if self.hooks.watches().listed.seen(self.scope.as_ref()) {
            self.hooks.shared().readiness.watch_is_complete();
            info!("ready");
        }
        self.look_for_the_vanished();
    }

    /// Instead of an event. A namespace that was deleted, or whose `RoleBinding` was, must not stop the work in all others: after one
    /// settle time of refusals the work begins without it. By then no request of an earlier leader can be on its way there either.
    pub(super) fn failed(&self, error: &watcher::Error) {
        let (namespace, plural, shared) = (self.scope.as_deref(), H::Kind::PLURAL, self.hooks.shared());
        if !is_refusal(error) {
            self.refusals.end();
            warn!(namespace, %error, "the watch was interrupted and is resumed");
            return;
        }
        let lasted = self.refusals.note(shared.clock().mono);
        if lasted.is_zero() {
            warn!(namespace, %error, "may not list {plural} here: is there a RoleBinding? Tried again");
        } else {
            debug!(namespace, %error, "may not list {plural} here");
        }
        let has_lasted = lasted >= shared.config.policy.settle_time();
        if has_lasted && self.hooks.watches().listed.excuse(self.scope.as_ref()) {
            shared.readiness.watch_is_complete();
            warn!(namespace, "may still not list {plural} here: the work begins without this namespace");
        }
    }

    /// Whether the scope has ever been listed.
    pub(super) fn has_been_listed(&self) -> bool {
        self.refusals.has_been_listed()
    }

    /// Whether a pass would find anything to do. At a start, the thousands that ended long ago need none.
    pub(crate) fn needs_a_pass(&self, event: &Event<Guarded<H::Kind>>) -> bool {
        let Event::InitApply(object) = event else { return true };
        self.hooks.watches().listed.has(self.scope.as_ref()) || !object.is_at_rest()
    }

    fn known(&self, object: &Guarded<H::Kind>) -> Option<Arc<Guarded<H::Kind>>> {
        self.known.get(&ObjectRef::from_obj(object))
    }

    fn greet_if_new(&self, object: &Guarded<H::Kind>, known: Option<&Guarded<H::Kind>>) {
        let is_new = known.is_none_or(|known| known.uid() != object.uid());
        if let Some(object) = object.object().ok().filter(|_| is_new) {
            self.hooks.arrives(object);
        }
    }

    /// After a list, an object that something is kept of and that is not there is gone: its pass finds that out.
    fn look_for_the_vanished(&self) {
        let is_gone = |namespace: &str, name: &str| {
            let in_scope = self.scope.as_ref().is_none_or(|scope| scope == namespace);
            in_scope && self.known.get(&ObjectRef::new(name).within(namespace)).is_none()
        };
        let gone = self.hooks.remembered().into_iter().filter(|who| is_gone(&who.namespace, &who.name));
        self.hooks.watches().wakers.wake_all(gone.collect());
    }
}

/// Whether `shown` was deleted before `known`, the object of the same name in the store, was created. A watch sends events in order, so
/// this event is late; in the store it would hide the object that exists until that object changes.
fn is_of_an_earlier_object<K: Kind>(shown: &Guarded<K>, known: &Guarded<K>) -> bool {
    known.uid() != shown.uid() && shown.creation_timestamp() < known.creation_timestamp()
}
