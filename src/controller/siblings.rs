//! What the watch has shown of the other objects of a namespace. No call is made for it, and it may lag behind: what it does not
//! show yet, Konnect's own job does.

use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use super::context::{Context, Guarded};
use crate::api::AuditLogReplayJob;
use crate::replay::{Sibling, ValidatedJob};

/// The stores that the watches fill, one for each scope.
#[derive(Clone, Default)]
pub(super) struct Stores(Arc<Mutex<Vec<Store<Guarded>>>>);

impl Stores {
    /// Takes note of one more.
    pub(super) fn add(&self, store: Store<Guarded>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    fn get(&self, namespace: &str, name: &str) -> Option<Arc<Guarded>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().find_map(|store| store.get(&ObjectRef::new(name).within(namespace)))
    }

    /// Shows every object there is, and `None` for each that does not parse.
    pub(super) fn visit(&self, visitor: &mut dyn FnMut(Option<&AuditLogReplayJob>)) {
        let seen = self.all().into_iter().flat_map(|store| store.state());
        seen.for_each(|guarded| visitor(guarded.job().ok()));
    }

    fn all(&self) -> Vec<Store<Guarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Context {
    /// The objects of the namespace of `job` whose records show all of its window replayed, itself left out.
    pub(super) fn siblings(&self, job: &AuditLogReplayJob) -> Vec<Sibling> {
        let Ok(validated) = ValidatedJob::new(job, &self.config.policy) else { return Vec::new() };
        let namespace = job.namespace().unwrap_or_default();
        let covering = self.replayed.covering(job, validated.window);
        let shown = covering.iter().filter_map(|name| self.stores.get(&namespace, name));
        shown
            .filter_map(|guarded| {
                let other = guarded.job().ok().filter(|other| other.uid() != job.uid())?;
                Sibling::of(other, &self.config.policy)
            })
            .collect()
    }
}
