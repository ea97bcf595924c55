//! The API server that all tests share, with the CRD and the shipped role in it.

use std::path::PathBuf;

use control_plane::{ControlPlane, Options};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use tokio::sync::OnceCell;

/// Where the shipped role's `ServiceAccount` lives.
const SYSTEM_NAMESPACE: &str = "konnect-replay";

/// The name of the `ServiceAccount` in the audit log.
pub const SERVICE_ACCOUNT: &str = "system:serviceaccount:konnect-replay:konnect-replay";

static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();

/// The shared control plane, and the kubeconfig of the `ServiceAccount` of `deploy/kustomize`.
pub async fn installed() -> (&'static ControlPlane, PathBuf) {
    let plane = ControlPlane::shared().unwrap_or_else(|error| panic!("no control plane: {error}"));
    let kubeconfig = INSTALLED.get_or_init(|| install(plane)).await;
    (plane, kubeconfig.clone())
}

/// The same on an API server of one test's own, for what would disturb the others. It ends with the process.
pub async fn own() -> (&'static ControlPlane, PathBuf) {
    let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start(Options::default()).await.unwrap()));
    (plane, install(plane).await)
}

async fn install(plane: &ControlPlane) -> PathBuf {
    plane.create_namespace(SYSTEM_NAMESPACE).await.unwrap();
    plane.apply(include_str!("../../../crds/auditlogreplayjobs.yaml")).await.unwrap();
    plane.apply(include_str!("../../../deploy/kustomize/base/rbac.yaml")).await.unwrap();
    plane.wait_crd_established("auditlogreplayjobs.konnect-replay.dev").await.unwrap();
    role_in_effect(plane).await;
    plane.service_account_kubeconfig(SYSTEM_NAMESPACE, "konnect-replay").await.unwrap()
}

/// Waits until the authorizer has seen the role, so that whatever is refused later is refused by the role.
async fn role_in_effect(plane: &ControlPlane) {
    let reviews: Api<SubjectAccessReview> = Api::all(plane.admin_client().unwrap());
    let attributes = ResourceAttributes {
        group: Some("konnect-replay.dev".to_owned()),
        resource: Some("auditlogreplayjobs".to_owned()),
        verb: Some("list".to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(SERVICE_ACCOUNT.to_owned()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let allowed =
        async || reviews.create(&PostParams::default(), &review).await.unwrap().status.is_some_and(|s| s.allowed);
    while !allowed().await {}
}
