//! Calls to the API server for objects of one kind, each bounded in time.

use std::marker::PhantomData;
use std::time::Duration;

use kube::api::{DeleteParams, GetParams, ListParams, ObjectList, Patch, PatchParams, Preconditions};
use kube::core::Request;
use kube::{Api, Client, ResourceExt};
use tokio::time::timeout;

use super::error::{KubeError, ListError, bounded};
use super::guarded::Guarded;
use super::kind::Kind;
use super::status_patch::{self, FIELD_MANAGER};
use super::whole::Whole;

/// Longest call that only looks whether something is there.
const LOOK: Duration = Duration::from_secs(10);

/// Asks the API server whether it lets us list objects of kind `K` in a namespace, or in all of them.
pub(crate) async fn is_served<K: Kind>(client: &Client, namespace: Option<&str>) -> Result<(), ListError> {
    let api = Guarded::<K>::api(client, namespace);
    timeout(LOOK, api.list(&ListParams::default().limit(1))).await??;
    Ok(())
}

/// Calls for objects that are read as [`Whole`].
pub(crate) struct Objects<K> {
    client: Client,
    limit: Duration,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Objects<K> {
    /// Calls that take no longer than `limit` each.
    pub(crate) fn new(client: &Client, limit: Duration) -> Self {
        Self { client: client.clone(), limit, kind: PhantomData }
    }

    /// Shows every object of a namespace, or of all, a page of so many at a time.
    pub(crate) async fn each(
        &self,
        namespace: Option<&str>,
        page: u32,
        see: impl Fn(&Whole<K>),
    ) -> Result<(), ListError> {
        let mut params = ListParams::default().limit(page);
        loop {
            let page = timeout(self.limit, self.list(namespace, &params)).await??;
            page.items.iter().for_each(&see);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(()),
            }
        }
    }

    async fn list(&self, namespace: Option<&str>, params: &ListParams) -> kube::Result<ObjectList<Whole<K>>> {
        self.client.request(at::<K>(namespace).list(params).map_err(kube::Error::BuildRequest)?).await
    }

    /// Reads an object anew, past the watch's store.
    pub(crate) async fn get(&self, namespace: &str, name: &str) -> Result<K, KubeError> {
        let request = at::<K>(Some(namespace)).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest);
        bounded(self.limit, self.one(request)).await
    }

    /// Writes `status` on exactly the version of `object`. Answers what was stored.
    pub(crate) async fn write_status(&self, object: &K, status: &K::Status) -> Result<K, KubeError> {
        let patch = status_patch::patch(&object.resource_version().unwrap_or_default(), object.status(), status)
            .map_err(|e| KubeError::Other(Box::new(kube::Error::SerdeError(e))))?;
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let name = object.meta().name.as_deref().unwrap_or_default();
        let at = at::<K>(Some(&object.namespace().unwrap_or_default()));
        let request = at.patch_subresource("status", name, &params, &Patch::Merge(patch));
        bounded(self.limit, self.one(request.map_err(kube::Error::BuildRequest))).await
    }

    /// Deletes exactly the version of `object`.
    pub(crate) async fn delete(&self, object: &K) -> Result<(), KubeError> {
        let metadata = object.meta();
        let exactly = Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() };
        let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        let name = metadata.name.as_deref().unwrap_or_default();
        let api = Api::<K>::namespaced(self.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
        bounded(self.limit, api.delete(name, &params)).await.map(drop)
    }

    async fn one(&self, request: kube::Result<http::Request<Vec<u8>>>) -> kube::Result<K> {
        self.client.request::<Whole<K>>(request?).await?.into_object()
    }
}

fn at<K: Kind>(namespace: Option<&str>) -> Request {
    Request::new(K::url_path(&(), namespace))
}
