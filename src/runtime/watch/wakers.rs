//! Requeues objects of one kind.

use std::collections::HashMap;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use crate::runtime::konnect::Wake;
use crate::runtime::objects::{Guarded, Kind};
use crate::runtime::scopes::Scopes;
use konnect_replay_core::replay::{ObjectId, Woken};

/// The objects of one scope that are to be requeued.
pub(crate) struct WokenIn<K: Kind> {
    /// The namespace; `None` is all of them.
    pub(crate) scope: Option<String>,
    /// The objects.
    pub(crate) objects: UnboundedReceiver<ObjectRef<Guarded<K>>>,
}

/// Requeues objects of one scope.
type Waker<K> = UnboundedSender<ObjectRef<Guarded<K>>>;

/// Requeues objects of one kind, by scope. Clones are the same.
pub(crate) struct Wakers<K: Kind>(Arc<HashMap<Option<String>, Waker<K>>>);

impl<K: Kind> Clone for Wakers<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Kind> Wakers<K> {
    /// Wakers for each scope, and what each of them is to requeue.
    pub(super) fn new(scopes: &Scopes) -> (Self, Vec<WokenIn<K>>) {
        let (wakers, woken) = scopes
            .iter()
            .map(|scope| {
                let (scope, (waker, objects)) = (scope.map(str::to_owned), unbounded());
                ((scope.clone(), waker), WokenIn { scope, objects })
            })
            .unzip();
        (Self(Arc::new(wakers)), woken)
    }

    /// Requeues the objects whose turn may have come.
    pub(crate) fn wake_all(&self, woken: Woken) {
        for who in woken {
            self.wake(&who);
        }
    }
}

impl<K: Kind> Wake for Wakers<K> {
    fn wake(&self, who: &ObjectId) {
        let waker = self.0.get(&Some(who.namespace.clone())).or_else(|| self.0.get(&None));
        if let Some(waker) = waker {
            let object = ObjectRef::new(&who.name).within(&who.namespace);
            // A closed channel means that the process is stopping: no object is to be requeued then.
            let _ = waker.unbounded_send(object);
        }
    }
}
