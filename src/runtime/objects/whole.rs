//! An object that is read past the watch, with all of its spec and status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use kube::api::ObjectMeta;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::guarded::parsed;
use super::kind::Kind;
use super::metadata::Metadata;
use konnect_replay_core::konnect::limits;

/// An object with all of its spec and status and with who wrote them, as the record of its end needs them. All other metadata, which
/// authors may write without limit, is skipped here too.
#[derive(Clone, Debug)]
pub(crate) struct Whole<K>(Result<Box<K>, String>);

impl<K: Kind> Whole<K> {
    /// The object, if it is one.
    pub(crate) fn object(&self) -> Option<&K> {
        self.0.as_deref().ok()
    }

    /// The same; an error if it does not parse.
    pub(super) fn into_object(self) -> kube::Result<K> {
        self.0.map(|object| *object).map_err(|error| kube::Error::SerdeError(serde::de::Error::custom(error)))
    }
}

/// What is read of an object.
#[derive(Deserialize)]
struct Parts {
    metadata: OwnedMetadata,
    #[serde(default)]
    spec: Value,
    status: Option<Value>,
}

#[derive(Deserialize)]
struct OwnedMetadata {
    #[serde(flatten)]
    metadata: Metadata,
    #[serde(rename = "managedFields", default)]
    owners: Option<Vec<Owner>>,
}

/// Who owns a part of the object, and whether that is a part of the spec.
#[derive(Deserialize)]
struct Owner {
    manager: Option<String>,
    time: Option<Time>,
    subresource: Option<String>,
    #[serde(rename = "fieldsV1")]
    fields: Option<OwnedFields>,
}

#[derive(Deserialize)]
struct OwnedFields {
    #[serde(rename = "f:spec")]
    spec: Option<IgnoredAny>,
}

impl<'de, K: Kind> Deserialize<'de> for Whole<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { metadata: OwnedMetadata { metadata, owners }, spec, status } = Parts::deserialize(deserializer)?;
        let mut metadata = ObjectMeta::from(metadata);
        metadata.managed_fields = owners.map(|owners| owners.into_iter().map(ManagedFieldsEntry::from).collect());
        let object = parsed::<K>(spec, status).map(|(spec, status)| Box::new(K::of_parts(metadata, spec, status)));
        Ok(Self(object.map_err(|error| limits::clean(&error.to_string()))))
    }
}

impl From<Owner> for ManagedFieldsEntry {
    fn from(owner: Owner) -> Self {
        let owns_spec = owner.fields.is_some_and(|fields| fields.spec.is_some());
        Self {
            manager: owner.manager,
            time: owner.time,
            subresource: owner.subresource,
            fields_v1: owns_spec.then(|| FieldsV1(serde_json::json!({ "f:spec": {} }))),
            ..Self::default()
        }
    }
}
