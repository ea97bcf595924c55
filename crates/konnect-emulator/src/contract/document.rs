//! Reads `openapi.yaml` into what calls are held against.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value};

use super::{Bodies, Contract, Operation, Parameter, PathItem};

const METHODS: [&str; 6] = ["get", "put", "post", "patch", "delete", "head"];

/// The document as a contract, or what is wrong with it.
pub(super) fn read(yaml: &str) -> Result<Contract, String> {
    let document: Value = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    let components = Registry::new().draft(Draft::Draft202012).add(COMPONENTS, document.clone());
    let components = components.and_then(jsonschema::RegistryBuilder::prepare).map_err(|error| error.to_string())?;
    let document = Document { whole: &document, components: &components, validators: RefCell::default() };
    let paths = document.whole.get("paths").and_then(Value::as_object).ok_or("it has no paths")?;
    let paths = paths.iter().map(|(path, item)| document.path_item(path, item)).collect::<Result<_, _>>()?;
    let elsewhere = |name: &str| {
        let response = document.whole.pointer(&format!("/x-emulator-elsewhere/{name}")).ok_or(format!("no {name}"))?;
        document.bodies(document.resolve(response)?)
    };
    Ok(Contract {
        paths,
        no_route: elsewhere("no-route")?,
        method_not_allowed: elsewhere("method-not-allowed")?,
        too_many: elsewhere("too-many-requests")?,
    })
}

/// Where a schema finds the components of the document.
const COMPONENTS: &str = "urn:openapi";

struct Document<'a> {
    whole: &'a Value,
    components: &'a Registry<'a>,
    /// By their schema's text: most schemas stand behind many operations, and each validator is large.
    validators: RefCell<BTreeMap<String, Arc<Validator>>>,
}

impl<'a> Document<'a> {
    /// What a `$ref` refers to, or the value itself.
    fn resolve(&self, value: &'a Value) -> Result<&'a Value, String> {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
        let found = reference.strip_prefix('#').and_then(|pointer| self.whole.pointer(pointer));
        self.resolve(found.ok_or_else(|| format!("nothing at {reference}"))?)
    }

    fn path_item(&self, path: &str, item: &'a Value) -> Result<PathItem, String> {
        let item = self.resolve(item)?;
        let shared = self.parameters(item)?;
        let mut operations = BTreeMap::new();
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let mut operation = self.operation(operation)?;
                operation
                    .parameters
                    .extend(shared.iter().map(|value| self.parameter(value)).collect::<Result<Vec<_>, _>>()?);
                operations.insert(method.to_ascii_uppercase(), operation);
            }
        }
        let segments = path.trim_matches('/').split('/').map(str::to_owned).collect();
        let is_global = item.get("x-emulator-global").is_some_and(|global| global == true);
        Ok(PathItem { segments, is_global, operations })
    }

    fn parameters(&self, of: &'a Value) -> Result<Vec<&'a Value>, String> {
        let list = of.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|parameter| self.resolve(parameter)).collect()
    }

    fn operation(&self, operation: &'a Value) -> Result<Operation, String> {
        let parameters = self.parameters(operation)?.into_iter().map(|value| self.parameter(value));
        let body = operation.get("requestBody").map_or(Ok(Bodies::new()), |body| self.bodies(self.resolve(body)?))?;
        let none = Map::new();
        let declared = operation.get("responses").and_then(Value::as_object).unwrap_or(&none);
        let mut answers = BTreeMap::new();
        for (status, response) in declared {
            let status = status.parse().map_err(|_| format!("{status} is no status"))?;
            answers.insert(status, self.bodies(self.resolve(response)?)?);
        }
        Ok(Operation { parameters: parameters.collect::<Result<_, _>>()?, body, answers })
    }

    fn parameter(&self, parameter: &'a Value) -> Result<Parameter, String> {
        let text =
            |key: &str| parameter.get(key).and_then(Value::as_str).ok_or_else(|| format!("a parameter without {key}"));
        let schema = parameter.get("schema").ok_or("a parameter without schema")?;
        Ok(Parameter {
            name: text("name")?.to_owned(),
            in_path: text("in")? == "path",
            is_integer: self.resolve(schema)?.get("type").is_some_and(|type_| type_ == "integer"),
            schema: self.validator(schema)?,
        })
    }

    fn bodies(&self, of: &'a Value) -> Result<Bodies, String> {
        let none = Map::new();
        let content = of.get("content").and_then(Value::as_object).unwrap_or(&none);
        let body = |(content_type, media): (&String, &Value)| {
            let schema = media.get("schema").ok_or_else(|| format!("{content_type} has no schema"))?;
            Ok((content_type.clone(), self.validator(schema)?))
        };
        content.iter().map(body).collect()
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let schema = with_components(schema);
        let text = schema.to_string();
        if let Some(known) = self.validators.borrow().get(&text) {
            return Ok(Arc::clone(known));
        }
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_registry(self.components);
        let options = options.should_validate_formats(true).should_ignore_unknown_formats(true);
        let made = Arc::new(options.build(&schema).map_err(|error| error.to_string())?);
        self.validators.borrow_mut().insert(text, Arc::clone(&made));
        Ok(made)
    }
}

/// A schema whose references to components lead into the document.
fn with_components(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| match value {
                    Value::String(to) if key == "$ref" && to.starts_with('#') => {
                        (key.clone(), format!("{COMPONENTS}{to}").into())
                    }
                    _ => (key.clone(), with_components(value)),
                })
                .collect(),
        ),
        Value::Array(list) => list.iter().map(with_components).collect(),
        _ => schema.clone(),
    }
}
