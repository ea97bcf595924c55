//! The `CustomResourceDefinition` as it is installed: the derived one, and what derivation cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::spec::AuditLogReplayJob;
use super::status::UNOBSERVED_GENERATION;

/// The CRD as it is installed, with a note on where it comes from: what [`crd_yaml`] made. The shipped program prints this, and carries
/// nothing that it would take to make it.
pub const CRD: &str = include_str!("../../../../crds/auditlogreplayjobs.yaml");

/// Times in a status, as the operator writes them: in UTC, years of four digits.
const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$";

/// The CRD, made from the types.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = AuditLogReplayJob::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
                set_default(status);
                bound(status);
                own_parts_as_wholes(status);
            }
            tidy(root);
        }
    }
    crd
}

/// A default on `status` itself: every object has one from the moment it is stored, and kstatus reads it as `InProgress`.
fn set_default(status: &mut JSONSchemaProps) {
    status.default = Some(JSON(serde_json::json!({ "observedGeneration": UNOBSERVED_GENERATION })));
}

/// Admits only what the program reads: an object that it cannot read would be left alone for ever. The API server takes times with zones
/// that there are not, and numbers of any size.
fn bound(schema: &mut JSONSchemaProps) {
    match schema.format.as_deref() {
        Some("date-time") => schema.pattern = Some(TIME.to_owned()),
        Some("uint32") => schema.maximum = Some(u32::MAX.into()),
        Some("int32") => (schema.minimum, schema.maximum) = (Some(i32::MIN.into()), Some(i32::MAX.into())),
        _ => {}
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| bound(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        bound(items);
    }
}

/// Nobody but the operator writes into the parts of a status, such as `submission`. Field by field, who owns each would be a tenth of a
/// finished object, stored and sent with every list.
fn own_parts_as_wholes(status: &mut JSONSchemaProps) {
    for part in status.properties.iter_mut().flatten().map(|(_, part)| part).filter(|part| part.properties.is_some()) {
        part.x_kubernetes_map_type = Some("atomic".to_owned());
    }
}

/// What derivation leaves untidy, in `schema` and all below it.
///
/// An explicit null is an absent value, and is dropped before CEL looks: `has()` must not see it. Line breaks of doc comments
/// are no line breaks for `kubectl explain`. A format that the API server does not know is warned about at each install; `minimum` and `maximum` say what it said.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.format.take_if(|format| format.starts_with("uint"));
    if let Some(description) = &mut schema.description {
        let paragraphs = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| tidy(property));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
}

/// The text of [`CRD`], made anew by `cargo xtask generate`.
pub fn crd_yaml() -> Result<String, CrdError> {
    let value = serde_json::to_value(crd()).map_err(|e| CrdError(e.to_string()))?;
    let yaml = serde_saphyr::to_string(&value).map_err(|e| CrdError(e.to_string()))?;
    Ok(format!("# Generated from crates/core/src/api by `cargo xtask generate`. Do not edit.\n{}\n", yaml.trim_end()))
}

/// The CRD could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot print the CRD: {0}")]
pub struct CrdError(String);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number and every time in `schema`, with its place.
    fn leaves(at: &str, schema: &JSONSchemaProps, found: &mut Vec<(String, JSONSchemaProps)>) {
        if schema.type_.as_deref() == Some("integer") || schema.format.as_deref() == Some("date-time") {
            found.push((at.to_owned(), schema.clone()));
        }
        for (name, property) in schema.properties.iter().flatten() {
            leaves(&format!("{at}.{name}"), property, found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            leaves(&format!("{at}[]"), items, found);
        }
    }

    #[test]
    fn every_number_and_time_of_a_status_is_bounded_by_what_the_program_reads() {
        let crd = crd();
        let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let mut found = Vec::new();
        leaves("status", &root.properties.as_ref().unwrap()["status"], &mut found);
        assert!(found.len() > 25, "{found:?}");
        for (at, schema) in found {
            let generation = at.ends_with("observedGeneration");
            let bounded =
                schema.pattern.as_deref() == Some(TIME) || (schema.minimum.is_some() && schema.maximum.is_some());
            assert!(bounded || generation, "{at}: {schema:?}");
        }
    }

    #[test]
    fn the_crd_in_the_repository_is_the_one_that_the_types_make() {
        let remedy = "run: cargo xtask generate";
        assert!(crd_yaml().unwrap() == CRD, "crds/auditlogreplayjobs.yaml is out of date; {remedy}");
    }
}
