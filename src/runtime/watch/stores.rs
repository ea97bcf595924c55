//! The stores that the watches of one kind fill.

use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;

use crate::runtime::objects::{Guarded, Kind};

/// The stores that the watches of one kind fill, one for each scope. Clones are the same.
pub(crate) struct Stores<K: Kind>(Arc<Mutex<Vec<Store<Guarded<K>>>>>);

impl<K: Kind> Clone for Stores<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Kind> Default for Stores<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Kind> Stores<K> {
    /// Takes note of one more.
    pub(crate) fn add(&self, store: Store<Guarded<K>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    /// Shows every object there is, and `None` for each that does not parse.
    pub(crate) fn visit(&self, visitor: &mut dyn FnMut(Option<&K>)) {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = stores.into_iter().flat_map(|store| store.state());
        seen.for_each(|guarded| visitor(guarded.object().ok()));
    }
}
