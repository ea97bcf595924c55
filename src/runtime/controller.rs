//! What set-up and take-down ask of the controller of one kind of object.

use std::sync::Arc;

use futures::future::{BoxFuture, LocalBoxFuture};
use kube::Client;

use super::leader::{Departure, Succession};
use super::objects::ListError;
use super::shared::Shared;

/// The controller of one kind of object.
pub(crate) trait KindController: Sync {
    /// What log lines and `/readyz` call the objects, such as `ConfigMaps`.
    fn plural(&self) -> &'static str;

    /// Whether the API server lets us list the objects of a namespace, or of all namespaces for `None`.
    fn is_served<'a>(&self, client: &'a Client, namespace: Option<&'a str>) -> BoxFuture<'a, Result<(), ListError>>;

    /// Works for one term: from the moment this process leads until its end is requested and the running passes have ended. Answers what
    /// the next leader must know.
    fn work(&self, shared: Arc<Shared>, succession: Succession) -> LocalBoxFuture<'static, Departure>;
}

/// The controllers of all kinds.
pub(crate) type Kinds = &'static [&'static dyn KindController];
