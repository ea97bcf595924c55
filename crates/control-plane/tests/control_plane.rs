//! The control plane against itself: that it starts, serves, refuses, records, and leaves nothing
//! behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use control_plane::{ControlPlane, Error, Options};
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::KubeConfigOptions;
use kube::{Api, Client};
use serde_json::json;

/// A CRD with a status, in the group whose bodies are audited by default.
const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.konnect-replay.dev}
spec:
  group: konnect-replay.dev
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

fn shared() -> &'static ControlPlane {
    ControlPlane::shared().unwrap()
}

/// A namespace of the shared control plane for one test.
async fn namespace(name: &'static str) -> &'static str {
    shared().create_namespace(name).await.unwrap();
    name
}

fn config_maps(client: Client, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(client, namespace)
}

/// Waits until `condition` holds, at most a minute.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_mins(1), "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs whose command line has `text` in it.
fn is_running(text: &str) -> bool {
    let all = std::process::Command::new("ps").args(["-eo", "args"]).output().expect("this test needs ps");
    String::from_utf8_lossy(&all.stdout).lines().any(|line| line.contains(text))
}

fn home_of(plane: &ControlPlane) -> String {
    plane.home().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_reports_a_version_that_clients_can_parse() {
    let version = shared().admin_client().unwrap().apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    assert!(version.minor.parse::<u32>().unwrap() >= 33, "{version:?}");
    if std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
        assert_eq!((version.minor.as_str(), version.git_version.as_str()), ("37", "v1.37.2"));
    }
}

#[tokio::test]
async fn two_at_once_do_not_meet() {
    let (one, two) = tokio::join!(ControlPlane::start(Options::default()), ControlPlane::start(Options::default()));
    let (one, two) = (one.unwrap(), two.unwrap());
    one.create_namespace("only-here").await.unwrap();
    let there = Api::<k8s_openapi::api::core::v1::Namespace>::all(two.admin_client().unwrap());
    assert!(there.get_opt("only-here").await.unwrap().is_none());
    assert_ne!((one.url(), one.home()), (two.url(), two.home()));
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test]
async fn after_a_drop_no_process_and_no_folder_is_left() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let home = home_of(&plane);
    assert!(is_running(&home));
    drop(plane);
    assert!(!Path::new(&home).exists() && !is_running(&home));
}

#[tokio::test]
async fn a_deep_temporary_folder_is_no_obstacle() {
    let outer = tempfile::tempdir().unwrap();
    let temp_dir = outer.path().join("deep".repeat(40));
    std::fs::create_dir_all(&temp_dir).unwrap();
    let plane = ControlPlane::start(Options { temp_dir, ..Options::default() }).await.unwrap();
    plane.create_namespace("deep").await.unwrap();
}

#[test]
fn a_parent_killed_outright_leaves_no_process_and_no_folder() {
    ControlPlane::shared().unwrap(); // so that the parent has nothing to build
    let told = tempfile::tempdir().unwrap();
    let file = told.path().join("home");
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_parent_to_be_killed"])
        .env("TELL_HOME_IN", &file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the parent's control plane", || {
        assert!(parent.try_wait().unwrap().is_none(), "the parent ended");
        file.exists()
    });
    let home = std::fs::read_to_string(&file).unwrap();
    assert!(is_running(&home));
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("its servers and its folder to go", || !is_running(&home) && !Path::new(&home).exists());
}

#[tokio::test]
#[ignore = "the process that the test above kills"]
async fn a_parent_to_be_killed() {
    let Some(file) = std::env::var_os("TELL_HOME_IN") else {
        return;
    };
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let partial = Path::new(&file).with_extension("partial");
    std::fs::write(&partial, home_of(&plane)).unwrap();
    std::fs::rename(&partial, &file).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_service_account_may_do_nothing_until_a_role_is_bound_to_it() {
    let namespace = namespace("rbac").await;
    let client = shared().service_account_client(namespace, "worker").await.unwrap();
    let maps = config_maps(client.clone(), namespace);
    match maps.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403, "{status:?}"),
        other => panic!("not refused: {other:?}"),
    }
    let role = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: worker, namespace: rbac}]
";
    shared().apply_in(namespace, role).await.unwrap();
    let mut allowed = maps.list(&ListParams::default()).await;
    while let Err(kube::Error::Api(_)) = allowed {
        // The authorizer learns of the binding by its own watch.
        tokio::time::sleep(Duration::from_millis(10)).await;
        allowed = maps.list(&ListParams::default()).await;
    }
    allowed.unwrap();
}

#[tokio::test]
async fn a_service_account_may_be_asked_for_twice_and_its_kubeconfig_is_private() {
    let namespace = namespace("twice").await;
    let first = shared().service_account_kubeconfig(namespace, "worker").await.unwrap();
    let second = shared().service_account_kubeconfig(namespace, "worker").await.unwrap();
    assert_ne!(first, second);
    for file in [first, second, shared().kubeconfig_admin()] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_client_certificate_carries_its_user_and_group() {
    let reads_as_master = |groups: &'static [&'static str]| async move {
        let client = shared().client_for("alice", groups).await.unwrap();
        let spec: SelfSubjectAccessReviewSpec =
            serde_json::from_value(json!({"resourceAttributes": {"verb": "*", "resource": "*", "group": "*"}}))
                .unwrap();
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        Api::all(client).create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
    };
    assert!(!reads_as_master(&[]).await);
    assert!(reads_as_master(&["system:masters"]).await);
    assert!(shared().audit().user("alice").count().unwrap() >= 2);
    assert!(matches!(shared().kubeconfig_for("alice", &["a", "b"]), Err(Error::TooManyGroups(2))));
}

#[tokio::test]
async fn kube_reads_the_kubeconfig_files() {
    for file in [shared().kubeconfig_admin(), shared().kubeconfig_for("bob", &["system:masters"]).unwrap()] {
        let parsed = kube::config::Kubeconfig::read_from(file).unwrap();
        let mut config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.unwrap();
        config.proxy_url = None; // as if HTTPS_PROXY were unset
        Client::try_from(config).unwrap().list_core_api_versions().await.unwrap();
    }
    let elsewhere = shared().kubeconfig_via(&shared().kubeconfig_admin(), "https://127.0.0.1:1").unwrap();
    assert!(std::fs::read_to_string(elsewhere).unwrap().contains("\"https://127.0.0.1:1\""));
}

#[tokio::test]
async fn each_write_is_in_the_audit_log_as_soon_as_it_is_answered() {
    let namespace = namespace("audit-count").await;
    let maps = config_maps(shared().admin_client().unwrap(), namespace);
    let patches = || shared().audit().verb("patch").resource("configmaps").namespace(namespace).name("a").code(200);
    shared().apply_in(namespace, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}").await.unwrap();
    for n in 1..=20 {
        maps.patch("a", &PatchParams::default(), &Patch::Merge(json!({"data": {"n": n.to_string()}}))).await.unwrap();
        assert_eq!(patches().count().unwrap(), n);
    }
    let mark = shared().audit_mark().unwrap();
    maps.patch("a", &PatchParams::default(), &Patch::Merge(json!({"data": null}))).await.unwrap();
    assert_eq!(patches().since(mark).count().unwrap(), 1);
    let event = patches().events().unwrap().pop().unwrap();
    assert_eq!((event.user.as_str(), event.stage.as_str()), ("control-plane-admin", "ResponseComplete"));
    assert_eq!((event.group.as_deref(), event.request_object), (Some(""), None));
    assert!(event.received.unwrap().0 <= event.at.unwrap().0);
}

#[tokio::test]
async fn a_new_kind_can_be_used_in_the_same_manifest_and_its_bodies_are_audited() {
    let namespace = namespace("kinds").await;
    let object = "---\n{apiVersion: konnect-replay.dev/v1, kind: Thing, metadata: {name: x}, spec: {size: 1}}\n";
    let applied = shared().apply_in(namespace, &format!("{CRD}{object}")).await.unwrap();
    assert_eq!(applied[1].metadata.namespace.as_deref(), Some(namespace));
    shared().wait_crd_established("things.konnect-replay.dev").await.unwrap();

    let kind = kube::core::GroupVersionKind::gvk("konnect-replay.dev", "v1", "Thing");
    let resource = kube::core::ApiResource::from_gvk_with_plural(&kind, "things");
    let things =
        Api::<kube::api::DynamicObject>::namespaced_with(shared().admin_client().unwrap(), namespace, &resource);
    let patch = json!({"status": {"phase": "Seen"}});
    things.patch_status("x", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();

    let writes = shared().audit().verb("patch").resource("things").name("x").namespace(namespace);
    let status = writes.clone().subresource("status").events().unwrap();
    assert_eq!(status.iter().map(|event| event.request_object.clone()).collect::<Vec<_>>(), [Some(patch)]);
    assert_eq!(writes.clone().subresource("").count().unwrap(), 1);
    assert_eq!(writes.count().unwrap(), 2);
}

#[tokio::test]
async fn an_unknown_kind_is_an_error_that_names_the_object() {
    let error =
        shared().apply("{apiVersion: nobody.example/v1, kind: Nothing, metadata: {name: lost}}").await.unwrap_err();
    assert!(error.to_string().starts_with("applying Nothing lost"), "{error}");
}

#[tokio::test]
async fn an_apiserver_that_ends_at_once_is_an_error_with_its_last_words() {
    let options = Options { apiserver_args: vec!["--no-such-flag".to_owned()], ..Options::default() };
    let error = ControlPlane::start(options).await.unwrap_err();
    assert!(matches!(error, Error::Exited { name: "kube-apiserver", .. }), "{error}");
    assert!(error.to_string().contains("no-such-flag"), "{error}");
}

#[tokio::test]
async fn too_little_time_is_an_error_that_says_what_was_waited_for() {
    ControlPlane::shared().unwrap();
    let error = ControlPlane::start(Options { start_timeout: Duration::ZERO, ..Options::default() }).await.unwrap_err();
    assert!(error.to_string().starts_with("waited 0 s for the API server's /readyz"), "{error}");
}

#[tokio::test]
async fn a_port_that_stays_taken_is_an_error_in_the_end() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--secure-port={}", taken.local_addr().unwrap().port());
    let options = Options { apiserver_args: vec![port], ..Options::default() };
    let error = ControlPlane::start(options).await.unwrap_err().to_string();
    assert!(error.contains("address already in use"), "{error}");
}
