//! The real API server, asked by the real kubectl whether it would take what was rendered.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use control_plane::ControlPlane;

/// The definitions of `ServiceMonitor`, `PodMonitor` and `PrometheusRule`.
const PROMETHEUS_OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";

pub struct Cluster {
    plane: &'static ControlPlane,
}

impl Cluster {
    /// The one of this process, with these namespaces. They enforce Pod Security `restricted`, and warn by it.
    pub async fn with_namespaces(names: &[&str]) -> Self {
        let cluster = Self { plane: ControlPlane::shared().unwrap() };
        for name in names {
            cluster.namespace(name).await;
        }
        cluster
    }

    async fn namespace(&self, name: &str) {
        let restricted =
            "{pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}";
        let namespace =
            format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name:?}, labels: {restricted}}}}}");
        // In a cluster a controller makes it; a pod is not taken without.
        let account =
            format!("{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: default, namespace: {name:?}}}}}");
        self.plane.apply(&format!("{namespace}\n---\n{account}\n")).await.unwrap();
    }

    /// Has it know `ServiceMonitor`, `PodMonitor` and `PrometheusRule` too.
    pub async fn with_prometheus_operator(self) -> Self {
        let downloaded = Command::new("go")
            .args(["mod", "download", "-json", PROMETHEUS_OPERATOR])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart"))
            .output()
            .expect("go is needed");
        let downloaded: serde_json::Value = serde_json::from_slice(&downloaded.stdout).unwrap();
        let folder = PathBuf::from(downloaded["Dir"].as_str().unwrap()).join("example/prometheus-operator-crd");
        for kind in ["servicemonitors", "podmonitors", "prometheusrules"] {
            let file = folder.join(format!("monitoring.coreos.com_{kind}.yaml"));
            self.plane.apply(&std::fs::read_to_string(file).unwrap()).await.unwrap();
            self.plane.wait_crd_established(&format!("{kind}.monitoring.coreos.com")).await.unwrap();
        }
        self
    }

    /// A kubeconfig for who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig_admin()
    }

    /// Fails unless the API server would take all objects, known fields only, each name once, and without a warning.
    pub fn takes(&self, what: &str, objects: &str) {
        let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"];
        let output = self.kubectl(&arguments, objects);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what} is not taken: {said}");
        assert!(!said.to_lowercase().contains("warning"), "{what} is taken with a warning: {said}");
    }

    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        kubectl(arguments, input, Some(self.kubeconfig()))
    }
}

/// Runs kubectl; without a kubeconfig there is no cluster.
pub fn kubectl(arguments: &[&str], input: &str, kubeconfig: Option<PathBuf>) -> Output {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kubectl-home");
    std::fs::create_dir_all(&home).unwrap();
    let mut child = Command::new("kubectl")
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("KUBECONFIG", kubeconfig.unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is needed: crates/control-plane/build-kubectl target/tools, in the path");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
