//! Reads `openapi.yaml` into what calls are held against.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::{Bodies, Contract, Operation, Parameter, PathItem};

const METHODS: [&str; 6] = ["get", "put", "post", "patch", "delete", "head"];

/// The document as a contract, or what is wrong with it.
pub(super) fn read(yaml: &str) -> Result<Contract, String> {
    let document = Document(serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?);
    let paths = document.0.get("paths").and_then(Value::as_object).ok_or("it has no paths")?;
    let paths = paths.iter().map(|(path, item)| document.path_item(path, item)).collect::<Result<_, _>>()?;
    let elsewhere = |name: &str| {
        let response = document.0.pointer(&format!("/x-emulator-elsewhere/{name}")).ok_or(format!("no {name}"))?;
        document.bodies(document.resolve(response)?)
    };
    Ok(Contract {
        paths,
        no_route: elsewhere("no-route")?,
        method_not_allowed: elsewhere("method-not-allowed")?,
        too_many: elsewhere("too-many-requests")?,
    })
}

struct Document(Value);

impl Document {
    /// What a `$ref` refers to, or the value itself.
    fn resolve<'a>(&'a self, value: &'a Value) -> Result<&'a Value, String> {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
        let found = reference.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer));
        self.resolve(found.ok_or_else(|| format!("nothing at {reference}"))?)
    }

    fn path_item(&self, path: &str, item: &Value) -> Result<PathItem, String> {
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

    fn parameters<'a>(&'a self, of: &'a Value) -> Result<Vec<&'a Value>, String> {
        let list = of.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|parameter| self.resolve(parameter)).collect()
    }

    fn operation(&self, operation: &Value) -> Result<Operation, String> {
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

    fn parameter(&self, parameter: &Value) -> Result<Parameter, String> {
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

    fn bodies(&self, of: &Value) -> Result<Bodies, String> {
        let none = Map::new();
        let content = of.get("content").and_then(Value::as_object).unwrap_or(&none);
        let body = |(content_type, media): (&String, &Value)| {
            let schema = media.get("schema").ok_or_else(|| format!("{content_type} has no schema"))?;
            Ok((content_type.clone(), self.validator(schema)?))
        };
        content.iter().map(body).collect()
    }

    /// A schema with the components that it may refer to.
    fn validator(&self, schema: &Value) -> Result<Validator, String> {
        let components = self.0.get("components").cloned().unwrap_or_default();
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": components,
            "allOf": [schema],
        });
        let options = jsonschema::options().should_validate_formats(true).should_ignore_unknown_formats(true);
        options.build(&whole).map_err(|error| error.to_string())
    }
}
