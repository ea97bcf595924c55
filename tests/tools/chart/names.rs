//! Names of releases and namespaces: all that Helm and Kubernetes allow, also names that YAML reads as other types.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::helm::{Helm, Rendering};
use crate::objects::Objects;

/// Names of releases that Helm takes.
const RELEASES: [&str; 9] = [
    "konnect.replay",
    "7-siem",
    "123",
    "1e3",
    "true",
    "null",
    "0x1f",
    // The fiftieth character is a dot, and the name is cut behind it.
    "a123456789a123456789a123456789a123456789a12345678.x",
    "x",
];
/// Names of namespaces that Kubernetes takes.
const NAMESPACES: [&str; 6] = ["matrix", "123", "1e3", "true", "null", "0x1f"];
/// Everything that has a name of its own, so that all names are seen.
const ALL: &str =
    "{emulator: {enabled: true}, networkPolicy: {enabled: true}, monitoring: {dashboard: {enabled: true}}}";

/// Whether it may be the name of a Service, in each supported version of Kubernetes.
fn is_dns_1035(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_legal_name_of_a_release_or_namespace_gives_objects_that_the_api_server_takes() {
    let cluster = Cluster::with_namespaces(&NAMESPACES).await;
    let with_each_namespace = NAMESPACES.map(|namespace| (RELEASES[0], namespace));
    let names = RELEASES.map(|release| (release, NAMESPACES[0])).into_iter().chain(with_each_namespace);
    for (number, (release, namespace)) in names.enumerate() {
        let helm = Helm::ALL[number % 2];
        let rendering = Rendering::of(ALL).named(release, namespace);
        let objects = rendering.objects(helm);
        for service in objects.of_kind("Service") {
            let name = service["metadata"]["name"].as_str().unwrap();
            assert!(is_dns_1035(name), "{release} makes a Service named {name}");
        }
        cluster.takes(&format!("release {release} in namespace {namespace}"), &rendering.text(helm).unwrap());
    }
}

#[test]
fn a_name_that_no_object_may_have_is_refused_and_the_value_named() {
    for helm in Helm::ALL {
        for (values, named) in [
            ("fullnameOverride: a.b", "fullnameOverride"),
            ("fullnameOverride: 7-siem", "fullnameOverride"),
            ("nameOverride: Replay", "nameOverride"),
        ] {
            let said = Rendering::of(values).refusal(helm);
            assert!(said.contains(named), "{said}");
        }
    }
}

#[test]
fn installs_side_by_side_share_no_cluster_wide_object() {
    let cluster_wide = |objects: &Objects| -> BTreeSet<String> {
        let is_wide = |object: &&Value| object["metadata"]["namespace"].is_null();
        let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
        objects.0.iter().filter(is_wide).map(name).collect()
    };
    for helm in Helm::ALL {
        let first = Rendering::of("watchNamespaces: [audit]").named("replay", "team-a").objects(helm);
        let second = Rendering::of("{watchNamespaces: [siem], crds: {enabled: false}}").named("replay", "team-b");
        let (first, second) = (cluster_wide(&first), cluster_wide(&second.objects(helm)));
        assert_eq!((first.len(), second.len()), (3, 2), "{first:?} {second:?}");
        assert!(first.is_disjoint(&second), "{first:?} {second:?}");
        // Namespace and name are distinguished, wherever the hyphen is.
        let one = cluster_wide(&Rendering::of("fullnameOverride: b-c").named("r", "a").objects(helm));
        let other = cluster_wide(&Rendering::of("fullnameOverride: c").named("r", "a-b").objects(helm));
        let shared: Vec<_> = one.intersection(&other).collect();
        assert_eq!(shared, [r#""CustomResourceDefinition" "auditlogreplayjobs.konnect-replay.dev""#]);
    }
}
