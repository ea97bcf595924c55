//! What the runtime asks of a kind of object.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::object::{HasSpec, HasStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of object with a spec and a status, in namespaces.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasSpec<Spec: DeserializeOwned>
    + HasStatus<Status: DeserializeOwned + Serialize>
    + DeserializeOwned
    + Clone
    + Debug
    + Send
    + Sync
    + 'static
{
    /// What log lines and `/readyz` call the objects, such as `ConfigMaps`.
    const PLURAL: &'static str;

    /// The object of these parts.
    fn of_parts(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::Status>) -> Self;

    /// Leaves out what no decision asks for any more. Called while the object is read from the watch, so that what is left out never
    /// lies in memory. Nothing may be written from an object that something was left out of.
    fn make_small(&mut self);

    /// Whether nothing is left to do for the object, so that it needs no pass at a start.
    fn is_at_rest(&self) -> bool;
}
