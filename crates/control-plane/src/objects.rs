//! Putting objects there: whole manifests by server-side apply, namespaces, and waiting until a new
//! kind is served.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind, ObjectMeta, Status};
use kube::discovery::{self, Scope};
use kube::runtime::wait::Condition;
use kube::runtime::wait::conditions::is_crd_established;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::readiness::Deadline;
use crate::{ControlPlane, Error};

/// Who owns what [`ControlPlane::apply`] sets.
const FIELD_MANAGER: &str = "control-plane";
/// A CRD is established within a second; more means that it never will.
const CRD_WITHIN: Duration = Duration::from_mins(1);

impl ControlPlane {
    /// Server-side-applies each document of `manifests` (YAML or JSON, any kinds), in order, as the
    /// administrator, taking over fields that others own. Where a namespaced object names no
    /// namespace it goes to `default`. After a `CustomResourceDefinition` it waits until the kind
    /// is served, so that objects of it may follow.
    pub async fn apply(&self, manifests: &str) -> Result<Vec<DynamicObject>, Error> {
        self.apply_in("default", manifests).await
    }

    /// The same with another namespace for objects that name none, as `kubectl apply -n` has it.
    pub async fn apply_in(&self, namespace: &str, manifests: &str) -> Result<Vec<DynamicObject>, Error> {
        let client = self.admin_client()?;
        let mut applied = Vec::new();
        for object in parse(manifests)? {
            applied.push(apply_one(&client, namespace, &object).await?);
        }
        Ok(applied)
    }

    /// Creates a namespace, unless it is there. No controller makes a `default` `ServiceAccount` in
    /// it, nor empties it when deleted.
    pub async fn create_namespace(&self, name: &str) -> Result<(), Error> {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        let created = Api::all(self.admin_client()?).create(&PostParams::default(), &namespace).await;
        unless_there(created).map_err(Error::kube(format!("creating the namespace {name}")))
    }

    /// Waits until the `CustomResourceDefinition` `name` (`<plural>.<group>`) is established and
    /// its kind really answers, 20 s at most.
    pub async fn wait_crd_established(&self, name: &str) -> Result<(), Error> {
        wait_served(&self.admin_client()?, name).await
    }
}

/// An object that is there already is as good as a created one.
pub(crate) fn unless_there<T>(created: kube::Result<T>) -> kube::Result<()> {
    match created {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// The objects of a manifest; empty documents, such as comments only, are none.
fn parse(manifests: &str) -> Result<Vec<DynamicObject>, Error> {
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(manifests)
        .map_err(|error| Error::Manifest { position: 1, why: error.to_string() })?;
    (1..).zip(documents).filter_map(|(position, document)| Some(object(position, document?))).collect()
}

fn object(position: usize, document: Value) -> Result<DynamicObject, Error> {
    let wrong = |why: String| Error::Manifest { position, why };
    let object: DynamicObject = serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
    match (&object.types, &object.metadata.name) {
        (None, _) => Err(wrong("it has no apiVersion and kind".to_owned())),
        (_, None) => Err(wrong("it has no metadata.name".to_owned())),
        (Some(_), Some(_)) => Ok(object),
    }
}

async fn apply_one(client: &Client, namespace: &str, object: &DynamicObject) -> Result<DynamicObject, Error> {
    let kind = gvk(object);
    let name = object.name_any();
    let doing = || format!("applying {} {name}", kind.kind);
    let (resource, capabilities) = discovery::pinned_kind(client, &kind).await.map_err(Error::kube(doing()))?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let forced = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api.patch(&name, &forced, &Patch::Apply(object)).await.map_err(Error::kube(doing()))?;
    if kind.kind == "CustomResourceDefinition" {
        wait_served(client, &name).await?;
    }
    Ok(applied)
}

fn gvk(object: &DynamicObject) -> GroupVersionKind {
    let types = object.types.as_ref();
    types.and_then(|types| GroupVersionKind::try_from(types).ok()).unwrap_or_else(|| GroupVersionKind::gvk("", "", ""))
}

/// Established means accepted; the handler is there a moment later, hence the second look, a list
/// that must not be "not found".
async fn wait_served(client: &Client, name: &str) -> Result<(), Error> {
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    let deadline = Deadline::after(CRD_WITHIN);
    loop {
        let last = match look(client, &crds, name).await.map_err(Error::kube(format!("waiting for the CRD {name}")))? {
            Seen::Served => return Ok(()),
            Seen::NotYet(why) => why,
        };
        deadline.rest_or(&format!("the CRD {name} to be served"), last, String::new).await?;
    }
}

/// What a look at a CRD found.
enum Seen {
    Served,
    NotYet(String),
}

async fn look(client: &Client, crds: &Api<CustomResourceDefinition>, name: &str) -> kube::Result<Seen> {
    let Some(crd) = crds.get_opt(name).await? else {
        return Ok(Seen::NotYet("there is no such CRD".to_owned()));
    };
    if !is_crd_established().matches_object(Some(&crd)) {
        return Ok(Seen::NotYet(not_established(&crd)));
    }
    for resource in served(&crd) {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if is_not_there_yet(&status) => {
                return Ok(Seen::NotYet(status.message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Seen::Served)
}

/// 404 before the handler knows the kind, 503 or 429 while its storage comes up.
fn is_not_there_yet(status: &Status) -> bool {
    matches!(status.code, 404 | 429 | 503)
}

/// The conditions that stand in the way, such as names that another CRD has taken.
fn not_established(crd: &CustomResourceDefinition) -> String {
    let conditions = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let held: Vec<String> = conditions
        .filter(|condition| condition.status != "True")
        .map(|condition| format!("{}: {}", condition.type_, condition.message.as_deref().unwrap_or_default()))
        .collect();
    if held.is_empty() { "it is not established yet".to_owned() } else { held.join("; ") }
}

fn served(crd: &CustomResourceDefinition) -> Vec<ApiResource> {
    let spec = &crd.spec;
    let versions = spec.versions.iter().filter(|version| version.served);
    let kind = |version: &str| GroupVersionKind::gvk(&spec.group, version, &spec.names.kind);
    versions.map(|version| ApiResource::from_gvk_with_plural(&kind(&version.name), &spec.names.plural)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_manifest_may_be_yaml_or_json_with_empty_documents_between() {
        let text = "# only a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n\
                    {\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"b\"}}\n";
        let kinds: Vec<String> = parse(text).unwrap().iter().map(|object| gvk(object).api_version()).collect();
        assert_eq!(kinds, ["v1", "apps/v1"]);
    }

    #[test]
    fn an_object_without_kind_or_name_is_named_by_its_position() {
        for (text, why) in
            [("metadata: {name: a}", "apiVersion"), ("apiVersion: v1\nkind: Pod\nmetadata: {}", "name"), ("[1]", "")]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("document 1") && error.contains(why), "{error}");
        }
    }
}
