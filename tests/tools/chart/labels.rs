//! Labels and annotations: each key once, the user's value before the chart's, the selector before both.

use serde_json::Value;

use crate::helm::{Helm, Rendering};
use crate::objects::Objects;

/// What is set, and which label must follow from it in which object.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "commonLabels: {app.kubernetes.io/part-of: observability}",
        "Service",
        "app.kubernetes.io/part-of",
        "observability",
    ),
    ("commonLabels: {app.kubernetes.io/managed-by: flux}", "ServiceAccount", "app.kubernetes.io/managed-by", "flux"),
    ("commonLabels: {helm.sh/chart: none}", "CustomResourceDefinition", "helm.sh/chart", "none"),
    ("{commonLabels: {team: sec}, podLabels: {team: pods}}", "Deployment", "team", "sec"),
    (
        "{commonLabels: {release: a}, monitoring: {serviceMonitor: {enabled: true, labels: {release: kps}}}}",
        "ServiceMonitor",
        "release",
        "kps",
    ),
    (
        "{commonLabels: {release: a}, monitoring: {podMonitor: {enabled: true, labels: {release: kps}}}}",
        "PodMonitor",
        "release",
        "kps",
    ),
    (
        "{commonLabels: {release: a}, monitoring: {prometheusRule: {enabled: true, labels: {release: kps}}}}",
        "PrometheusRule",
        "release",
        "kps",
    ),
    ("commonLabels: {app.kubernetes.io/name: audit}", "Service", "app.kubernetes.io/name", "konnect-replay"),
    ("commonLabels: {app.kubernetes.io/instance: audit}", "Service", "app.kubernetes.io/instance", "rendered"),
];

fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["labels"][key].as_str().unwrap_or_default()
}

#[test]
fn each_label_stands_once_and_the_users_value_wins() {
    for helm in Helm::ALL {
        for (values, kind, key, value) in CASES {
            let objects = Rendering::of(values).objects(helm);
            assert_eq!(label(objects.the(kind), key), *value, "{values}");
        }
        let dashboard =
            "monitoring: {dashboard: {enabled: true, labels: {grafana_dashboard: all, app.kubernetes.io/part-of: x}}}";
        let objects = Rendering::of(dashboard).objects(helm);
        assert_eq!(label(objects.of("ConfigMap", "dashboard"), "grafana_dashboard"), "all");
        assert_eq!(label(objects.of("ConfigMap", "dashboard"), "app.kubernetes.io/part-of"), "x");
    }
}

#[test]
fn labels_of_pods_win_over_common_ones_and_never_over_the_selector() {
    let values = "{commonLabels: {team: sec, app.kubernetes.io/name: audit}, emulator: {enabled: true},
        podLabels: {team: pods, app.kubernetes.io/component: x, app.kubernetes.io/instance: z}}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let pods = objects.pods();
        assert_eq!(pods.iter().map(|pod| pod.component).collect::<Vec<_>>(), ["emulator", "operator", "test"]);
        for pod in pods {
            assert_eq!(pod.metadata["labels"]["team"], "pods", "{}", pod.component);
            assert_eq!(pod.metadata["labels"]["app.kubernetes.io/name"], "konnect-replay");
            assert_eq!(pod.metadata["labels"]["app.kubernetes.io/instance"], "rendered");
        }
        selects_its_pods(&objects);
    }
}

fn selects_its_pods(objects: &Objects) {
    for deployment in objects.of_kind("Deployment") {
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        for (key, value) in deployment["spec"]["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&labels[key], value, "{key}");
        }
    }
}

#[test]
fn an_annotation_of_the_users_takes_the_place_of_the_charts() {
    let values = "podAnnotations: {kubectl.kubernetes.io/default-container: sidecar, a: b}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let annotations = &objects.the("Deployment")["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(*annotations, serde_json::json!({"kubectl.kubernetes.io/default-container": "sidecar", "a": "b"}));
    }
}
