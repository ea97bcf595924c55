//! Every file of tests/chart/matrix, and no values at all.

use std::fs;

use crate::cluster::Cluster;
use crate::helm::{Helm, Rendering};
use crate::objects::Objects;

/// Names and texts of the files.
fn files() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/matrix");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, String)> =
        paths.map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect();
    files.push(("no values".to_owned(), String::new()));
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rendering_is_read_strictly_and_taken_by_the_api_server() {
    let cluster = Cluster::with_namespaces(&["matrix", "audit", "monitoring"]).await.with_prometheus_operator().await;
    let files = files();
    assert!(files.len() > 8, "{} files", files.len());
    for helm in Helm::ALL {
        for (file, values) in &files {
            let text = Rendering::of(values).text(helm).unwrap_or_else(|said| panic!("{file} by {helm:?}: {said}"));
            let objects = Objects::read(&text).unwrap_or_else(|error| panic!("{file} by {helm:?}: {error}"));
            assert!(objects.0.len() > 3, "{file} by {helm:?}: {} objects", objects.0.len());
            cluster.takes(&format!("{file} by {helm:?}"), &text);
        }
    }
}

#[test]
fn both_helms_render_without_a_cluster_and_refuse_one_that_is_too_old() {
    let old = ["--kube-version=1.32.4", "--api-versions=v1/Namespace"];
    let new = ["--kube-version=1.33.0-gke.1", "--api-versions=v1/Namespace"];
    for helm in Helm::ALL {
        Rendering::of("").objects(helm);
        Rendering::of("").flags(&new).objects(helm);
        let said = Rendering::of("").flags(&old).refusal(helm);
        assert!(said.contains("this chart needs Kubernetes 1.33 or newer, and the cluster is v1.32.4"), "{said}");
    }
}
