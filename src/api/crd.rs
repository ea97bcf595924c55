//! The `CustomResourceDefinition` as it is installed: the derived one, and what derivation cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::spec::AuditLogReplayJob;
use super::status::UNOBSERVED_GENERATION;

/// The CRD as it is installed, with a note on where it comes from: what [`crd_yaml`] made. The shipped program prints this, and carries
/// nothing that it would take to make it.
pub const CRD: &str = include_str!("../../crds/auditlogreplayjobs.yaml");

/// The CRD, made from the types.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = AuditLogReplayJob::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            tidy(root);
            if let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) {
                set_default(status);
                own_parts_as_wholes(status);
            }
        }
    }
    crd
}

/// A default on `status` itself: every object has one from the moment it is stored, and kstatus reads it as `InProgress`.
fn set_default(status: &mut JSONSchemaProps) {
    status.default = Some(JSON(serde_json::json!({ "observedGeneration": UNOBSERVED_GENERATION })));
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

/// The text of [`CRD`], made anew: `cargo run --example generate crd`.
pub fn crd_yaml() -> Result<String, CrdError> {
    let value = serde_json::to_value(crd()).map_err(|e| CrdError(e.to_string()))?;
    let yaml = serde_saphyr::to_string(&value).map_err(|e| CrdError(e.to_string()))?;
    Ok(format!("# Generated from src/api by `cargo run --example generate crd`. Do not edit.\n{}\n", yaml.trim_end()))
}

/// The CRD could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot print the CRD: {0}")]
pub struct CrdError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crd_in_the_repository_is_the_one_that_the_types_make() {
        let remedy = "run: cargo run --example generate crd > crds/auditlogreplayjobs.yaml";
        assert!(crd_yaml().unwrap() == CRD, "crds/auditlogreplayjobs.yaml is out of date; {remedy}");
    }
}
