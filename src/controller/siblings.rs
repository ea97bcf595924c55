//! What the watch has shown of the other objects of a namespace. No call is made for it, and it may lag behind: what it does not
//! show yet, Konnect's own job does.

use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::context::{Context, Guarded};
use crate::api::AuditLogReplayJob;
use crate::replay::Sibling;

/// The stores that the watches fill, one for each scope.
#[derive(Clone, Default)]
pub(super) struct Stores(Arc<Mutex<Vec<Store<Guarded>>>>);

impl Stores {
    /// Takes note of one more.
    pub(super) fn add(&self, store: Store<Guarded>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    /// Shows every object there is.
    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&AuditLogReplayJob)) {
        let seen = self.all().into_iter().flat_map(|store| store.state());
        seen.for_each(|guarded| {
            if let Ok(job) = &guarded.0 {
                visitor(job);
            }
        });
    }

    fn all(&self) -> Vec<Store<Guarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Context {
    /// The Complete objects of the namespace of `job`, itself left out.
    pub(super) fn siblings(&self, job: &AuditLogReplayJob) -> Vec<Sibling> {
        let others = |other: &AuditLogReplayJob| other.namespace() == job.namespace() && other.uid() != job.uid();
        let seen = self.stores.all().into_iter().flat_map(|store| store.state());
        seen.filter_map(|guarded| {
            let other = guarded.0.as_ref().ok().filter(|other| others(other))?;
            Sibling::of(other, &self.config.policy)
        })
        .collect()
    }
}
