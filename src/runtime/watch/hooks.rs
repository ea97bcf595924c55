//! What the controller of a kind does while its objects are watched.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::watcher::Event;

use super::watches::Watches;
use crate::runtime::objects::{Guarded, Kind};
use crate::runtime::shared::Shared;
use konnect_replay_core::replay::ObjectId;

/// What the controller of a kind does while one scope is watched; one value for each scope. Nothing here may wait, except [`Hooks::pass`].
pub(crate) trait Hooks: Send + Sync + Sized + 'static {
    /// The kind.
    type Kind: Kind;

    /// What all kinds share.
    fn shared(&self) -> &Arc<Shared>;

    /// What the watches of all scopes of this kind fill and wake.
    fn watches(&self) -> &Watches<Self::Kind>;

    /// An object arrives that was not known, before it enters the store and before any pass over it.
    fn arrives(&self, object: &Self::Kind);

    /// The watch sends an event, before it enters the store. Late events of earlier objects of the same name are left out.
    fn sees(&self, event: &Event<Guarded<Self::Kind>>);

    /// The objects that something is kept of in memory. After each list, those that are gone get a pass.
    fn remembered(&self) -> Vec<ObjectId>;

    /// An object is gone: drops what is kept of it.
    fn forget(&self, namespace: &str, name: &str);

    /// One pass over an object. Answers when the next one is due, if the object does not change before.
    fn pass(&self, object: Arc<Guarded<Self::Kind>>) -> impl Future<Output = Action> + Send;
}
