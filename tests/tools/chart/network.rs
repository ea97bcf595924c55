//! Whom the policies of the network let through.

use serde_json::{Value, json};

use crate::helm::{Helm, Rendering};
use crate::objects::Objects;

fn ports(rule: &Value) -> Vec<u64> {
    rule["ports"].as_array().into_iter().flatten().filter_map(|port| port["port"].as_u64()).collect()
}

/// All ports that pods of a component may call.
fn egress(objects: &Objects, component: &str) -> Vec<u64> {
    let rules = objects.of("NetworkPolicy", component)["spec"]["egress"].as_array().unwrap();
    rules.iter().flat_map(ports).collect()
}

#[test]
fn helm_test_gets_through_whoever_else_is_let_in() {
    let monitoring = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}";
    let values = format!("networkPolicy: {{enabled: true, ingressFrom: [{monitoring}]}}");
    for helm in Helm::ALL {
        let objects = Rendering::of(&values).objects(helm);
        let from = &objects.the("NetworkPolicy")["spec"]["ingress"][0]["from"];
        let test = json!({"podSelector": {"matchLabels": objects.of("NetworkPolicy", "test")["spec"]["podSelector"]["matchLabels"]}});
        let labels = &objects.of("Pod", "test")["metadata"]["labels"];
        for (key, value) in test["podSelector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&labels[key], value, "{key} of the pod of helm test");
        }
        assert_eq!(from[0], test);
        assert_eq!(from[1]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], "monitoring");
        let open = Rendering::of("networkPolicy: {enabled: true}").objects(helm);
        assert_eq!(open.the("NetworkPolicy")["spec"]["ingress"][0]["from"], Value::Null);
    }
}

#[test]
fn names_are_resolved_on_openshift_too_and_what_is_added_is_added() {
    let values = "networkPolicy: {enabled: true, extraEgress: [{ports: [{port: 3128, protocol: TCP}]}]}";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        assert_eq!(egress(&objects, "operator"), [53, 53, 5353, 5353, 443, 6443, 3128]);
        assert_eq!(egress(&objects, "test"), [53, 53, 5353, 5353, 8080]);
        let closed = "{networkPolicy: {enabled: true, egress: []}, emulator: {enabled: true}}";
        assert_eq!(egress(&Rendering::of(closed).objects(helm), "operator"), [8787]);
    }
}
