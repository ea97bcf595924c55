//! What the watches of one kind fill and wake.

use std::sync::Arc;

use super::listed::Listed;
use super::stores::Stores;
use super::wakers::{Wakers, WokenIn};
use crate::runtime::objects::Kind;
use crate::runtime::shared::Shared;

/// What the watches of one kind fill and wake, of all scopes together.
pub(crate) struct Watches<K: Kind> {
    /// What the watches have shown.
    pub(crate) stores: Stores<K>,
    /// Which scopes have been listed.
    pub(crate) listed: Listed,
    /// Requeues objects.
    pub(crate) wakers: Wakers<K>,
}

impl<K: Kind> Watches<K> {
    /// Nothing shown yet, and for each scope what is to be requeued in it. Objects that stand in line for a call to Konnect are woken
    /// from now on.
    pub(crate) fn new(shared: &Shared) -> (Self, Vec<WokenIn<K>>) {
        let (wakers, woken) = Wakers::new(&shared.scopes);
        let listed = Listed::default();
        listed.expect(shared.scopes.iter());
        shared.calls.add_kind(Arc::new(wakers.clone()));
        (Self { stores: Stores::default(), listed, wakers }, woken)
    }
}
