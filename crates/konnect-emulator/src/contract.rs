//! Holds every call against `openapi.yaml`: what was asked, and what was answered.
//!
//! It reads the document once in a process, and changes nothing. What a test was to bend, a fault or a job by hand, is not held
//! against it.

mod document;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use http::{Method, Uri};
use jsonschema::Validator;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::document::read;
use crate::model::is_region;

/// The document.
pub const OPENAPI: &str = include_str!("../openapi.yaml");

/// Something that the document does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Number of the call.
    pub call: u64,
    /// Whose fault it is.
    pub part: Part,
    /// What is wrong.
    pub text: String,
}

/// What of a call breaks the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The request: its client's fault.
    Request,
    /// The request breaks the document and was answered with success all the same: the emulator's fault.
    Accepted,
    /// The answer: the emulator's fault.
    Answer,
}

/// One call, as the document sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// Content type of the request.
    pub(crate) sent_as: Option<&'a str>,
    pub(crate) sent: &'a [u8],
    pub(crate) status: u16,
    /// Content type of the answer; empty without a body.
    pub(crate) answered_as: &'a str,
    pub(crate) answered: &'a str,
}

type Bodies = BTreeMap<String, Arc<Validator>>;

/// One method of one path.
struct Operation {
    parameters: Vec<Parameter>,
    body: Bodies,
    answers: BTreeMap<u16, Bodies>,
}

struct Parameter {
    name: String,
    in_path: bool,
    is_integer: bool,
    schema: Arc<Validator>,
}

/// One path.
struct PathItem {
    segments: Vec<String>,
    /// The global host serves it too.
    is_global: bool,
    operations: BTreeMap<String, Operation>,
}

/// The document, ready to be held against calls.
struct Contract {
    paths: Vec<PathItem>,
    no_route: Bodies,
    method_not_allowed: Bodies,
    too_many: Bodies,
}

static CONTRACT: LazyLock<Result<Contract, String>> = LazyLock::new(|| read(OPENAPI));

/// Everything about a call that the document does not allow.
pub(crate) fn check(call: u64, exchange: &Exchange<'_>) -> Vec<Violation> {
    let found = match &*CONTRACT {
        Ok(contract) => contract.check(exchange),
        Err(reason) => vec![(Part::Answer, format!("openapi.yaml cannot be read: {reason}"))],
    };
    let violation = |(part, text)| Violation { call, part, text };
    found.into_iter().map(violation).collect()
}

type Found = Vec<(Part, String)>;

impl Contract {
    fn check(&self, exchange: &Exchange<'_>) -> Found {
        let mut found = Found::new();
        let answers = match self.find(exchange.uri.path()) {
            None => expect(404, &self.no_route, exchange),
            Some((item, named)) => match item.operations.get(exchange.method.as_str()) {
                None => expect(405, &self.method_not_allowed, exchange),
                Some(operation) => {
                    found.extend(operation.check_request(&named, exchange));
                    self.check_answer(operation, exchange)
                }
            },
        };
        found.extend(answers.into_iter().map(|text| (Part::Answer, text)));
        found
    }

    /// The path item, and the values of its parameters. The region comes first; the public keys have none.
    fn find(&self, path: &str) -> Option<(&PathItem, Vec<(&str, String)>)> {
        let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (region, rest) = match asked.split_first() {
            Some((&"v2", _)) | None => (None, asked.as_slice()),
            Some((region, rest)) => (Some(*region), rest),
        };
        let mut fits = self
            .paths
            .iter()
            .filter_map(|item| item.values(rest).filter(|_| item.is_served_in(region)).map(|values| (item, values)));
        fits.next()
    }

    fn check_answer(&self, operation: &Operation, exchange: &Exchange<'_>) -> Vec<String> {
        match operation.answers.get(&exchange.status) {
            Some(bodies) => check_body(bodies, exchange.answered_as, exchange.answered.as_bytes()),
            None if exchange.status == 429 => {
                check_body(&self.too_many, exchange.answered_as, exchange.answered.as_bytes())
            }
            None => vec![format!("status {} is not declared", exchange.status)],
        }
    }
}

fn expect(status: u16, bodies: &Bodies, exchange: &Exchange<'_>) -> Vec<String> {
    let mut wrong = check_body(bodies, exchange.answered_as, exchange.answered.as_bytes());
    if exchange.status != status {
        wrong.push(format!("status {} where {status} is due", exchange.status));
    }
    wrong
}

impl PathItem {
    /// The public keys are served anywhere.
    fn is_served_in(&self, region: Option<&str>) -> bool {
        let is_jwks = self.segments.last().is_some_and(|last| last == "jwks.json");
        is_jwks || region.is_some_and(|region| is_region(region) || (region == "global" && self.is_global))
    }

    fn values<'a>(&'a self, asked: &[&str]) -> Option<Vec<(&'a str, String)>> {
        if asked.len() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, asked) in self.segments.iter().zip(asked) {
            match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => values.push((name, (*asked).to_owned())),
                None if segment == asked => {}
                None => return None,
            }
        }
        Some(values)
    }
}

impl Operation {
    fn check_request(&self, named: &[(&str, String)], exchange: &Exchange<'_>) -> Found {
        let in_path = named.iter().map(|(name, value)| (true, (*name).to_owned(), value.clone()));
        let query = url::form_urlencoded::parse(exchange.uri.query().unwrap_or_default().as_bytes()).into_owned();
        let in_query = query.map(|(name, value)| (false, name, value));
        let wrong =
            in_path.chain(in_query).filter_map(|(in_path, name, value)| self.check_parameter(in_path, &name, &value));
        let mut found: Found = wrong.map(|text| (Part::Request, text)).collect();
        let wrong = self.check_sent(exchange);
        if !wrong.is_empty() && (200..300).contains(&exchange.status) {
            let body = String::from_utf8_lossy(exchange.sent);
            found.push((Part::Accepted, format!("{} for {body}: {}", exchange.status, wrong.join("; "))));
        }
        found.extend(wrong.into_iter().map(|text| (Part::Request, text)));
        if !self.body.is_empty()
            && !exchange.sent_as.is_some_and(|sent_as| self.body.contains_key(&media_type(sent_as)))
        {
            found.push((Part::Request, format!("content type {:?} is not declared", exchange.sent_as)));
        }
        found
    }

    fn check_parameter(&self, in_path: bool, name: &str, value: &str) -> Option<String> {
        let found = self.parameters.iter().find(|parameter| parameter.in_path == in_path && parameter.name == name);
        let Some(parameter) = found else { return Some(format!("parameter {name} is not declared")) };
        let number = value.parse::<i64>().ok().filter(|_| parameter.is_integer);
        let json = number.map_or_else(|| Value::from(value), Value::from);
        let wrong: Vec<String> = parameter.schema.iter_errors(&json).map(|error| error.to_string()).collect();
        (!wrong.is_empty() && !value.is_empty()).then(|| format!("parameter {name}: {}", wrong.join("; ")))
    }

    /// The body of a request. It is JSON, also with another content type.
    fn check_sent(&self, exchange: &Exchange<'_>) -> Vec<String> {
        match self.body.values().next() {
            Some(schema) => check_json(schema, exchange.sent),
            None if exchange.sent.is_empty() => Vec::new(),
            None => vec!["a body is not declared".to_owned()],
        }
    }
}

/// A content type without its parameters, such as `charset`.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn check_body(bodies: &Bodies, content_type: &str, body: &[u8]) -> Vec<String> {
    match bodies.get(content_type) {
        Some(schema) => check_json(schema, body),
        None if bodies.is_empty() && body.is_empty() => Vec::new(),
        None => vec![format!("content type {content_type:?} is not declared, or has no body")],
    }
}

fn check_json(schema: &Validator, body: &[u8]) -> Vec<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect(),
        Err(error) => vec![format!("no JSON: {error}")],
    }
}

#[cfg(test)]
mod tests;
