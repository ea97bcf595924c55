//! What all pods of the chart have in common.

use serde_json::{Value, json};

use crate::helm::{Helm, Rendering};

/// Fields of a pod that are the same in all of them.
const SHARED: [&str; 6] =
    ["nodeSelector", "tolerations", "affinity", "priorityClassName", "securityContext", "imagePullSecrets"];

#[test]
fn every_pod_is_scheduled_alike() {
    let affinity = "{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}";
    let values = format!(
        "{{emulator: {{enabled: true}}, nodeSelector: {{disk: ssd}}, tolerations: [{{operator: Exists}}], affinity: {affinity},
          priorityClassName: high, imagePullSecrets: [{{name: registry}}]}}"
    );
    for helm in Helm::ALL {
        let objects = Rendering::of(&values).objects(helm);
        let pods = objects.pods();
        assert_eq!(pods.iter().map(|pod| pod.component).collect::<Vec<_>>(), ["emulator", "operator", "test"]);
        for pod in &pods {
            assert_eq!(pod.spec["nodeSelector"], json!({"kubernetes.io/os": "linux", "disk": "ssd"}));
            for field in SHARED {
                assert_ne!(pod.spec[field], Value::Null, "{field} of the {}", pod.component);
                assert_eq!(pod.spec[field], pods[0].spec[field], "{field} of the {}", pod.component);
            }
        }
    }
}

#[test]
fn a_topology_spread_constraint_without_a_selector_gets_that_of_the_operator_and_one_with_it_keeps_its_own() {
    let values = "topologySpreadConstraints: [
        {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule},
        {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: mine}}}]";
    for helm in Helm::ALL {
        let objects = Rendering::of(values).objects(helm);
        let spec = &objects.the("Deployment")["spec"];
        let constraints = &spec["template"]["spec"]["topologySpreadConstraints"];
        assert_eq!(constraints[0]["labelSelector"], spec["selector"]);
        assert_eq!(constraints[1]["labelSelector"], json!({"matchLabels": {"app": "mine"}}));
    }
}

/// `restricted-v2` of Openshift gives an id out of the namespace's range, and refuses a pod that names another.
#[test]
fn no_pod_names_a_user_or_group_unless_it_is_told_to() {
    let fixed = ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"];
    for helm in Helm::ALL {
        let objects = Rendering::of("emulator: {enabled: true}").objects(helm);
        for pod in objects.pods() {
            let containers = pod.spec["containers"].as_array().unwrap().iter();
            let contexts =
                containers.map(|container| &container["securityContext"]).chain([&pod.spec["securityContext"]]);
            for context in contexts {
                assert!(context.is_object(), "{} has no security context", pod.component);
                assert!(fixed.iter().all(|field| context[field].is_null()), "{}: {context}", pod.component);
            }
            assert_eq!(pod.spec["securityContext"]["runAsNonRoot"], true, "{}", pod.component);
        }
        let told = Rendering::of("podSecurityContext: {runAsUser: 1001}").objects(helm);
        assert!(told.pods().iter().all(|pod| pod.spec["securityContext"]["runAsUser"] == 1001));
    }
}
