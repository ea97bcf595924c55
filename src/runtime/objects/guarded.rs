//! An object as the watch delivers it: only what decisions are made of. An API server with fifty thousand finished objects must
//! not make the operator grow by what no pass will ask for again.
//!
//! Nothing is ever written from a part that was left out: status writes are differences.

use std::borrow::Cow;
use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use kube::{Api, Client, Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::kind::Kind;
use super::metadata::Metadata;
use konnect_replay_core::konnect::limits;

/// An object as the watch delivers it: one that does not parse is isolated, not fatal. It is made small while it is read, so that a page
/// of a list never lies in memory as a whole. Copies share it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<K>(Arc<Result<K, InvalidObject>>);

impl<K: Kind> Guarded<K> {
    /// The calls for the objects of a namespace, or of all namespaces.
    pub(crate) fn api(client: &Client, namespace: Option<&str>) -> Api<Self> {
        match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        }
    }

    /// The object, or why it is none.
    pub(crate) fn object(&self) -> Result<&K, &InvalidObject> {
        self.0.as_ref().as_ref()
    }

    /// Whether nothing is left to do for it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.object().is_ok_and(Kind::is_at_rest)
    }

    /// The object that is `known` in the place of the same version of it that was read again: all of them are, when the watch has to
    /// begin anew with a list, and none is to lie in memory twice meanwhile.
    pub(crate) fn or_the_same(self, known: Option<&Self>) -> Self {
        let version = |object: &Self| (object.uid(), object.resource_version());
        known.filter(|known| version(known) == version(&self)).cloned().unwrap_or(self)
    }

    /// Whether both are one in memory.
    #[cfg(test)]
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is read of an object.
#[derive(Deserialize)]
struct Parts {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    status: Option<Value>,
}

impl<'de, K: Kind> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metadata, spec, status } = Parts::deserialize(deserializer)?;
        let metadata = ObjectMeta::from(metadata);
        Ok(Self(Arc::new(match parsed::<K>(spec, status) {
            Ok((spec, status)) => {
                let mut object = K::of_parts(metadata, spec, status);
                object.make_small();
                Ok(object)
            }
            Err(error) => Err(InvalidObject { error: limits::clean(&error.to_string()), metadata }),
        })))
    }
}

/// The spec and the status, each of its type.
pub(super) fn parsed<K: Kind>(
    spec: Value,
    status: Option<Value>,
) -> Result<(K::Spec, Option<K::Status>), serde_json::Error> {
    let spec = K::Spec::deserialize(spec)?;
    Ok((spec, status.map(K::Status::deserialize).transpose()?))
}

impl<K: Kind> Resource for Guarded<K> {
    type DynamicType = ();
    type Scope = <K as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.object().map_or_else(|invalid| &invalid.metadata, Resource::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.0).as_mut().map_or_else(|invalid| &mut invalid.metadata, Resource::meta_mut)
    }
}
