//! What is read of the metadata of an object. An author may write 256 KiB of annotations, and labels without limit, into each object:
//! none of that may lie in memory, or an author of objects could exhaust the operator's memory at its next start.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use konnect_replay_core::api::REQUESTED_AT;

/// How much of [`REQUESTED_AT`] is read.
const REQUESTED_CHARS: usize = 128;

/// The metadata that decisions are made of. Everything else is passed over without being taken in: who owns which field is most of an
/// object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    #[serde(default)]
    annotations: Annotations,
}

/// The one annotation that is read, cut to what is read of it.
#[derive(Default)]
struct Annotations(Option<String>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(OneAnnotation)
    }
}

struct OneAnnotation;

impl<'de> Visitor<'de> for OneAnnotation {
    type Value = Annotations;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("annotations")
    }

    fn visit_none<E>(self) -> Result<Annotations, E> {
        Ok(Annotations::default())
    }

    fn visit_unit<E>(self) -> Result<Annotations, E> {
        Ok(Annotations::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Annotations, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut found = Annotations::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == REQUESTED_AT {
                found.0 = Some(shortened(&map.next_value::<Cow<'de, str>>()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// What is read of the value of an annotation.
fn shortened(value: &str) -> String {
    value.chars().take(REQUESTED_CHARS).collect()
}

/// The object without foreign metadata: what is kept of an object that was read or written past the watch.
pub(crate) fn slimmed<K: Resource>(mut object: K) -> K {
    let metadata = std::mem::take(object.meta_mut());
    let requested = metadata.annotations.as_ref().and_then(|annotations| annotations.get(REQUESTED_AT));
    let kept = Metadata {
        annotations: Annotations(requested.map(|value| shortened(value))),
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp,
        deletion_timestamp: metadata.deletion_timestamp,
    };
    *object.meta_mut() = kept.into();
    object
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        let requested = read.annotations.0.map(|value| (REQUESTED_AT.to_owned(), value));
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            annotations: requested.map(|requested| BTreeMap::from([requested])),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn of_the_annotation_that_is_read_no_more_is_kept_than_is_read() {
        let metadata = json!({
            "name": "a", "namespace": "audit", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-11-20T09:00:00Z", "labels": { "team": "siem" },
            "annotations": { REQUESTED_AT: "é".repeat(200_000), "konnect-replay.dev/other": "x" },
            "managedFields": [{ "manager": "kubectl", "operation": "Update" }],
        });
        let read: Metadata = serde_json::from_str(&metadata.to_string()).unwrap();
        let read = ObjectMeta::from(read);
        let requested = BTreeMap::from([(REQUESTED_AT.to_owned(), "é".repeat(REQUESTED_CHARS))]);
        assert_eq!((&read.annotations, &read.labels, &read.managed_fields), (&Some(requested), &None, &None));
        let whole: ConfigMap = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        assert_eq!(slimmed(whole).metadata, read);
    }

    #[test]
    fn an_object_without_annotations_is_read() {
        for annotations in [json!(null), json!({})] {
            let read: Metadata = serde_json::from_value(json!({ "name": "a", "annotations": annotations })).unwrap();
            assert_eq!(ObjectMeta::from(read).annotations, None);
        }
    }
}
