//! What the chart makes for Prometheus and Grafana.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::helm::{Helm, Rendering};

#[test]
fn monitors_have_the_usual_fields() {
    for (value, kind, endpoints) in
        [("serviceMonitor", "ServiceMonitor", "endpoints"), ("podMonitor", "PodMonitor", "podMetricsEndpoints")]
    {
        let values = format!(
            "monitoring: {{{value}: {{enabled: true, interval: 15s, scrapeTimeout: 5s, honorLabels: true, labels: {{a: b}},
              relabelings: [{{action: labeldrop, regex: x}}], metricRelabelings: [{{action: labeldrop, regex: z}}],
              annotations: {{c: d}}, namespace: monitoring}}}}"
        );
        for helm in Helm::ALL {
            let objects = Rendering::of(&values).objects(helm);
            let monitor = objects.the(kind);
            let endpoint = json!([{
                "port": "http", "path": "/metrics", "interval": "15s", "scrapeTimeout": "5s", "honorLabels": true,
                "relabelings": [{"action": "labeldrop", "regex": "x"}],
                "metricRelabelings": [{"action": "labeldrop", "regex": "z"}],
            }]);
            assert_eq!(monitor["spec"][endpoints], endpoint);
            // In another namespace it must say where the pods are.
            assert_eq!(monitor["metadata"]["namespace"], "monitoring");
            assert_eq!(monitor["spec"]["namespaceSelector"]["matchNames"], json!(["matrix"]));
            assert_eq!(monitor["metadata"]["annotations"], json!({"c": "d"}));
            let plain = Rendering::of(&format!("monitoring: {{{value}: {{enabled: true}}}}")).objects(helm);
            let endpoint = json!([{"port": "http", "path": "/metrics", "interval": "30s"}]);
            assert_eq!(plain.the(kind)["spec"][endpoints], endpoint);
        }
    }
}

#[test]
fn rules_and_dashboard_take_annotations_and_a_namespace() {
    let values = "monitoring: {prometheusRule: {enabled: true, annotations: {a: b}, namespace: monitoring},
        dashboard: {enabled: true, annotations: {grafana_folder: Kong}, namespace: grafana}}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let at = |object: &Value| (object["metadata"]["namespace"].clone(), object["metadata"]["annotations"].clone());
        assert_eq!(at(objects.the("PrometheusRule")), (json!("monitoring"), json!({"a": "b"})));
        let dashboard = objects.of("ConfigMap", "dashboard");
        assert_eq!(at(dashboard), (json!("grafana"), json!({"grafana_folder": "Kong"})));
        let plain = Rendering::of("monitoring: {dashboard: {enabled: true}}").objects(helm);
        assert_eq!(at(plain.of("ConfigMap", "dashboard")), (json!("matrix"), Value::Null));
    }
}

/// As Prometheus writes them, and none: then Prometheus chooses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_may_be_any_duration_of_prometheus() {
    let cluster = Cluster::with_namespaces(&["intervals"]).await.with_prometheus_operator().await;
    for (number, written) in ["1m30s", "1h", "500ms", ""].into_iter().enumerate() {
        let values = format!(
            "monitoring: {{serviceMonitor: {{enabled: true, interval: '{written}', scrapeTimeout: '{written}'}}}}"
        );
        let rendering = Rendering::of(&values).named("rendered", "intervals");
        let text = rendering.text(Helm::ALL[number % 2]).unwrap();
        cluster.takes(&format!("interval {written:?}"), &text);
    }
}
