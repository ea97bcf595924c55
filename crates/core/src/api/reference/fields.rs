//! One table for each object of the schema: field, type, default, rules, meaning.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};

/// The tables of `spec` and `status`, parents first.
pub(super) fn sections(crd: &CustomResourceDefinition) -> String {
    let mut text = String::new();
    for root in crd.spec.versions.iter().filter_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref()) {
        for name in ["spec", "status"] {
            if let Some(schema) = root.properties.as_ref().and_then(|properties| properties.get(name)) {
                section(name, schema, &mut text);
            }
        }
    }
    text
}

fn section(path: &str, schema: &JSONSchemaProps, text: &mut String) {
    let _ = write!(text, "## `{path}`\n\n{}\n\n", schema.description.as_deref().unwrap_or_default());
    text.push_str("| field | type | default | rules | meaning |\n| --- | --- | --- | --- | --- |\n");
    let required = schema.required.clone().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let mut rules = if required.contains(name) { vec!["required".to_owned()] } else { Vec::new() };
        rules.extend(bounds(field));
        // The rules of an object stand below its own table.
        rules.extend(if field.properties.is_none() { messages(field) } else { Vec::new() });
        let meaning = field.description.as_deref().or(items(field).and_then(|items| items.description.as_deref()));
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} |",
            type_of(&format!("{path}.{name}"), field),
            field.default.as_ref().map(|default| code(&word(&default.0))).unwrap_or_default(),
            cell(&rules.join("; ")),
            cell(meaning.unwrap_or_default()),
        );
    }
    let whole = messages(schema);
    if !whole.is_empty() && schema.properties.is_some() {
        let _ = write!(text, "\n{}\n", whole.iter().map(|rule| format!("- {rule}")).collect::<Vec<_>>().join("\n"));
    }
    text.push('\n');
    for (name, field) in schema.properties.iter().flatten() {
        match items(field) {
            Some(items) if items.properties.is_some() => section(&format!("{path}.{name}[]"), items, text),
            None if field.properties.is_some() => section(&format!("{path}.{name}"), field, text),
            Some(_) | None => {}
        }
    }
}

fn items(field: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match field.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn type_of(path: &str, field: &JSONSchemaProps) -> String {
    let plain = field.type_.as_deref().unwrap_or_default();
    match (plain, field.format.as_deref()) {
        ("object", _) => format!("[object]({})", anchor(path)),
        ("array", _) => format!("[list]({})", anchor(path)),
        ("string", Some("date-time")) => "time".to_owned(),
        _ => plain.to_owned(),
    }
}

/// As GitHub makes anchors of headings: only letters, digits and dashes are left.
fn anchor(path: &str) -> String {
    let kept: String = path.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("#{kept}")
}

/// What a field's own keywords demand. Formats of numbers say nothing that the bounds do not.
fn bounds(field: &JSONSchemaProps) -> Vec<String> {
    let words = field.enum_.iter().flatten().map(|value| code(&word(&value.0)));
    let words = words.collect::<Vec<_>>().join(", ");
    let whole = |number: f64| format!("{number}");
    let lines = [
        (!words.is_empty()).then(|| format!("one of {words}")),
        field.minimum.map(|least| format!("at least {}", whole(least))),
        field.maximum.map(|most| format!("at most {}", whole(most))),
        length(field),
        field.max_items.map(|most| format!("at most {most} of them")),
        field.pattern.as_deref().map(code),
    ];
    lines.into_iter().flatten().collect()
}

fn length(field: &JSONSchemaProps) -> Option<String> {
    match (field.min_length, field.max_length) {
        (None | Some(0), most) => most.map(|most| format!("at most {most} characters")),
        (Some(least), Some(most)) => Some(format!("{least} to {most} characters")),
        (Some(least), None) => Some(format!("at least {least} characters")),
    }
}

/// A value as it is written in YAML.
fn word(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What CEL says when it refuses.
fn messages(field: &JSONSchemaProps) -> Vec<String> {
    let rules = field.x_kubernetes_validations.iter().flatten();
    rules.filter_map(|ValidationRule { message, .. }| message.clone()).collect()
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A bar ends a cell, even in code.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('|', "\\|")
}
