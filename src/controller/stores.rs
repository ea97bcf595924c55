//! The stores that the watches fill.

use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::{ObjectRef, Store};

use super::slim::Guarded;
use konnect_replay_core::api::AuditLogReplayJob;

/// The stores that the watches fill, one for each scope.
#[derive(Clone, Default)]
pub(super) struct Stores(Arc<Mutex<Vec<Store<Guarded>>>>);

impl Stores {
    /// Takes note of one more.
    pub(super) fn add(&self, store: Store<Guarded>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<Guarded>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().find_map(|store| store.get(&ObjectRef::new(name).within(namespace)))
    }

    /// Shows every object there is, and `None` for each that does not parse.
    pub(super) fn visit(&self, visitor: &mut dyn FnMut(Option<&AuditLogReplayJob>)) {
        let seen = self.all().into_iter().flat_map(|store| store.state());
        seen.for_each(|guarded| visitor(guarded.job().ok()));
    }

    pub(super) fn all(&self) -> Vec<Store<Guarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
