//! A real Helm, and what docs/install.md says of an install that is there.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::helm::{CHART, Helm};

/// Has a Helm do it; what it says, or what it says is wrong.
fn helm(helm: Helm, cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    let output = helm.run(&[arguments, &[&kubeconfig]].concat(), "");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn replicas(cluster: &Cluster, namespace: &str) -> Value {
    let output = cluster.kubectl(&["--namespace", namespace, "get", "deployment", "konnect-replay", "-o", "json"], "");
    let deployment: Value = serde_json::from_slice(&output.stdout).unwrap();
    deployment["spec"]["replicas"].clone()
}

/// Without `--wait`, since there is no node here, and without what is cluster-wide, which other tests try to apply meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_install_is_scaled_to_zero_and_back_by_its_values() {
    let namespaces = ["scaled-helm3", "scaled-helm4"];
    let cluster = Cluster::with_namespaces(&namespaces).await;
    for (number, namespace) in namespaces.into_iter().enumerate() {
        let run =
            |arguments: &[&str]| helm(Helm::ALL[number], &cluster, &[arguments, &["-n", namespace]].concat()).unwrap();
        // As an installer adds what the chart sets too: Helm 4 sends it by server-side apply, which takes each name once.
        let values = "extraEnv[0].name=RUST_LOG,extraEnv[0].value=debug,log.filter=info,watchNamespaces={audit}";
        let values = format!("{values},crds.enabled=false,rbac.create=false,rbac.aggregate=false");
        run(&["install", "konnect-replay", CHART, "--set", &values]);
        assert_eq!(replicas(&cluster, namespace), 2);
        run(&["upgrade", "konnect-replay", CHART, "--reuse-values", "--set", "replicaCount=0"]);
        assert_eq!(replicas(&cluster, namespace), 0);
        run(&["upgrade", "konnect-replay", CHART, "--reuse-values", "--set", "replicaCount=2"]);
        assert_eq!(replicas(&cluster, namespace), 2);
        run(&["uninstall", "konnect-replay"]);
    }
}
