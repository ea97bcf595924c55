//! Status writes: a JSON merge patch with the resourceVersion that it is based on, so that a writer that has not seen the latest version
//! loses the write. Fields that this version of the operator does not know are left alone.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The name under which the operator owns status fields and reports.
pub(crate) const FIELD_MANAGER: &str = "konnect-replay";

/// The patch that turns `old` into `new`, on exactly this version of the object.
pub(super) fn patch<S: Serialize>(
    resource_version: &str,
    old: Option<&S>,
    new: &S,
) -> Result<Value, serde_json::Error> {
    let old = old.map_or(Ok(Value::Null), serde_json::to_value)?;
    let difference = merge_patch(&old, &serde_json::to_value(new)?);
    Ok(json!({ "metadata": { "resourceVersion": resource_version }, "status": difference }))
}

/// A merge patch (RFC 7396) from `old` to `new`: what is gone becomes null.
fn merge_patch(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return new.clone() };
    let mut patch: Map<String, Value> = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), merge_patch(old.get(key).unwrap_or(&Value::Null), value)))
        .collect();
    patch.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_sent_and_what_is_gone_becomes_null() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": [1], "f": true });
        let new = json!({ "a": 1, "b": { "c": 3 }, "e": [1, 2], "g": { "h": 1 } });
        let expected = json!({ "b": { "c": 3, "d": null }, "e": [1, 2], "f": null, "g": { "h": 1 } });
        assert_eq!(merge_patch(&old, &new), expected);
    }

    #[test]
    fn every_patch_carries_the_version_it_is_based_on() {
        let status = json!({ "attempts": 1 });
        let patch = patch("42", Some(&status), &status).unwrap();
        assert_eq!(patch, json!({ "metadata": { "resourceVersion": "42" }, "status": {} }));
    }
}
