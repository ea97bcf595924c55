//! Rendered objects, read by a reader that refuses duplicate keys.

use serde_json::Value;

/// Objects in the order in which they were rendered.
pub struct Objects(pub Vec<Value>);

/// The pods that an object makes, or is.
pub struct Pods<'a> {
    /// The component that its labels name.
    pub component: &'a str,
    pub metadata: &'a Value,
    pub spec: &'a Value,
}

impl<'a> Pods<'a> {
    fn of(template: &'a Value) -> Self {
        let (metadata, spec) = (&template["metadata"], &template["spec"]);
        Self { component: component_of(metadata), metadata, spec }
    }
}

impl Objects {
    /// Reads YAML. A key that stands twice in one map is an error, as to Flux, kustomize and kubeconform.
    pub fn read(text: &str) -> Result<Self, serde_saphyr::Error> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(text)?;
        Ok(Self(objects.into_iter().filter(|object| !object.is_null()).collect()))
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The one object of its kind, without those of other components than the operator.
    pub fn the(&self, kind: &str) -> &Value {
        self.of(kind, "operator")
    }

    /// The one object of its kind and component.
    pub fn of(&self, kind: &str, component: &str) -> &Value {
        let found = self.of_kind(kind).into_iter().filter(|object| component_of(&object["metadata"]) == component);
        match found.collect::<Vec<_>>()[..] {
            [one] => one,
            ref others => panic!("{} objects of kind {kind} of the {component}", others.len()),
        }
    }

    /// Every pod template and every pod, by component.
    pub fn pods(&self) -> Vec<Pods<'_>> {
        let deployments = self.of_kind("Deployment").into_iter().map(|deployment| &deployment["spec"]["template"]);
        let templates = deployments.chain(self.of_kind("Pod"));
        let mut pods: Vec<Pods> = templates.map(Pods::of).collect();
        pods.sort_by_key(|pods| pods.component);
        pods
    }

    /// The operator's container.
    pub fn operator(&self) -> &Value {
        &self.the("Deployment")["spec"]["template"]["spec"]["containers"][0]
    }
}

fn component_of(metadata: &Value) -> &str {
    metadata["labels"]["app.kubernetes.io/component"].as_str().unwrap_or_default()
}

/// The strings of a list.
pub fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    assert!(Objects::read("{a: 1, b: 2}\n---\nmap: {a: 1}").is_ok());
    let refusal = Objects::read("labels:\n  team: a\n  team: b\n").err().unwrap().to_string();
    assert!(refusal.contains("duplicate"), "{refusal}");
}
