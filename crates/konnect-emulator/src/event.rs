//! Audit events, and the three line formats they are delivered in.
//!
//! CEF, JSON and CPS (the JSON object under `event`). What happens, and how it ends, is in `kinds`. Nothing is sent from here.

mod kinds;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::behaviour::{JsonTypes, KongInitiated};
use crate::model::{Scope, TargetKey};
use crate::signing::{Key, Signing};

/// Line format of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// `ArcSight` Common Event Format.
    Cef,
    /// `CrowdStrike` Parsing Standard: the JSON object under the key `event`.
    Cps,
}

/// One thing that happened, as kept for replays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When it happened; `rt` on the wire, in milliseconds.
    pub at: DateTime<Utc>,
    /// The correlation id of its request, which other events may share.
    pub trace_id: String,
    /// Every field of the line but the signature.
    pub fields: Map<String, Value>,
}

/// One of the three kinds. The documents tell them apart by `name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Authentication,
    Authorization,
    Access,
}

/// How a line is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineStyle {
    pub(crate) format: LogFormat,
    pub(crate) types: JsonTypes,
    pub(crate) kong_initiated: KongInitiated,
    /// The key that signs it, if any.
    pub(crate) key: Option<Key>,
}

impl AuditEvent {
    /// A login at the Dev Portal, the only kind that its log holds; the organization's has all three kinds in turn.
    pub(crate) fn new(target: &TargetKey, org_id: &str, at: DateTime<Utc>, serial: usize) -> Self {
        let fields = match &target.scope {
            Scope::Portal(portal) => kinds::portal_login(portal, serial),
            Scope::Organization => kinds::of_organization(serial),
        };
        let mut event = Self::with_fields(org_id, at, new_trace_id(), fields);
        if serial % 2 == 1 {
            event.fields.insert("principal_name".to_owned(), "Jo Bloggs".into());
        }
        event
    }

    /// What one call of the API leaves in the organization's log.
    pub(crate) fn of_call(org_id: &str, at: DateTime<Utc>, trace_id: i64) -> Vec<Self> {
        let principal: Value = Uuid::new_v4().to_string().into();
        let event = |mut fields: Map<String, Value>| {
            fields.insert("principal_id".to_owned(), principal.clone());
            Self::with_fields(org_id, at, trace_id, fields)
        };
        kinds::of_call().map(event).to_vec()
    }

    fn with_fields(org_id: &str, at: DateTime<Utc>, trace_id: i64, fields: Map<String, Value>) -> Self {
        let trace_id = trace_id.to_string();
        let mut all = common_fields(org_id, at, &trace_id);
        all.extend(fields);
        Self { at, trace_id, fields: all }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.text("name") {
            name if name.starts_with("AUTHENTICATION_OUTCOME_") => Kind::Authentication,
            name if name.starts_with("Authz.") => Kind::Authorization,
            _ => Kind::Access,
        }
    }

    /// A field as text; empty where there is none.
    pub(crate) fn text(&self, key: &str) -> String {
        self.fields.get(key).map(plain).unwrap_or_default()
    }

    /// The line, signed if a key is named. The same event gives the same line every time.
    pub(crate) fn line(&self, style: LineStyle, signing: &Signing) -> String {
        let bare = match style.format {
            LogFormat::Json => Value::Object(self.typed(style)).to_string(),
            LogFormat::Cps => json!({ "event": self.typed(style) }).to_string(),
            LogFormat::Cef => self.cef(),
        };
        match style.key {
            None => bare,
            Some(key) => with_signature(&bare, style.format, &signing.sign(key, &bare)),
        }
    }

    fn typed(&self, style: LineStyle) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        if style.kong_initiated == KongInitiated::String {
            fields.entry("kong_initiated").and_modify(|value| *value = plain(value).into());
        }
        if style.types == JsonTypes::Examples {
            for key in ["rt", "success"] {
                fields.entry(key).and_modify(|value| *value = plain(value).into());
            }
            fields.entry("trace_id").and_modify(|id| *id = serde_json::from_str(&plain(id)).unwrap_or_default());
        }
        fields
    }

    fn cef(&self) -> String {
        let header = ["event_vendor", "event_product", "event_version", "event_class_id", "name", "severity"];
        let header = header.map(|key| self.text(key)).join("|");
        let order: &[&str] = match self.kind() {
            Kind::Authentication => &AUTHENTICATION_ORDER,
            Kind::Authorization => &AUTHORIZATION_ORDER,
            Kind::Access => &ACCESS_ORDER,
        };
        let extension = order.iter().filter(|key| self.fields.contains_key(**key));
        let extension: Vec<String> = extension.map(|key| format!("{key}={}", self.text(key))).collect();
        format!("{} konghq.com CEF:0|{header}|{}", self.text("event_ts"), extension.join(" "))
    }
}

/// The order of extensions in Konnect's examples. They have no `principal_name` and no `kong_initiated`: these stand where their
/// neighbours in meaning do.
const AUTHENTICATION_ORDER: [&str; 10] = [
    "rt",
    "src",
    "request",
    "success",
    "org_id",
    "portal_id",
    "principal_id",
    "principal_name",
    "trace_id",
    "user_agent",
];
const AUTHORIZATION_ORDER: [&str; 11] = [
    "rt",
    "src",
    "action",
    "granted",
    "org_id",
    "principal_id",
    "principal_name",
    "actor_id",
    "kong_initiated",
    "trace_id",
    "user_agent",
];
const ACCESS_ORDER: [&str; 12] = [
    "rt",
    "src",
    "request",
    "act",
    "status",
    "org_id",
    "principal_id",
    "principal_name",
    "kong_initiated",
    "user_agent",
    "trace_id",
    "query",
];

/// Within a signed 64-bit integer, which is how some receivers read it.
pub(crate) fn new_trace_id() -> i64 {
    let (id, _) = Uuid::new_v4().as_u64_pair();
    i64::try_from(id >> 1).unwrap_or(i64::MAX)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Puts the signature last, so that taking the field out again gives back the signed bytes.
fn with_signature(bare: &str, format: LogFormat, signature: &str) -> String {
    let tail = match format {
        LogFormat::Json => "}",
        LogFormat::Cps => "}}",
        LogFormat::Cef => return format!("{bare} sig={signature}"),
    };
    let body = bare.strip_suffix(tail).unwrap_or(bare);
    format!(r#"{body},"sig":"{signature}"{tail}"#)
}

fn common_fields(org_id: &str, at: DateTime<Utc>, trace_id: &str) -> Map<String, Value> {
    object(json!({
        "cef_version": 0,
        "event_ts": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "event_vendor": "KongInc",
        "event_version": "1.0",
        "org_id": org_id,
        "principal_id": Uuid::new_v4().to_string(),
        "rt": at.timestamp_millis(),
        "src": "192.0.2.10",
        "trace_id": trace_id,
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What a receiver reads from a line, whatever its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParsedLine {
    pub(crate) trace_id: String,
    pub(crate) rt: String,
    pub(crate) sig: Option<String>,
}

impl ParsedLine {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match serde_json::from_str::<Value>(line) {
            Ok(json) => Self::from_json(json.get("event").unwrap_or(&json)),
            Err(_) => Self::from_cef(line),
        }
    }

    fn from_json(event: &Value) -> Option<Self> {
        let text = |key: &str| event.get(key).map(plain);
        Some(Self { trace_id: text("trace_id")?, rt: text("rt")?, sig: text("sig") })
    }

    fn from_cef(line: &str) -> Option<Self> {
        let (_, extension) = line.split_once("CEF:")?;
        let text = |key: &str| {
            let mut words = extension.split([' ', '|']);
            words.find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self { trace_id: text("trace_id")?, rt: text("rt")?, sig: text("sig") })
    }

    /// The line without its signature field: what was signed.
    pub(crate) fn signed_part(&self, line: &str) -> String {
        let Some(sig) = &self.sig else {
            return line.to_owned();
        };
        [format!(r#","sig":"{sig}""#), format!(r#""sig":"{sig}","#), format!(" sig={sig}")]
            .iter()
            .find_map(|field| line.split_once(field.as_str()))
            .map_or_else(|| line.to_owned(), |(before, after)| format!("{before}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::PublicKeys;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_750_688_927_556).unwrap()
    }

    fn of(target: &TargetKey) -> Vec<AuditEvent> {
        (0..120).map(|serial| AuditEvent::new(target, "o1", at(), serial)).collect()
    }

    fn organization() -> Vec<AuditEvent> {
        of(&TargetKey::organization("acme", "eu"))
    }

    fn portal() -> Vec<AuditEvent> {
        of(&TargetKey::portal("acme", "eu", "p1"))
    }

    fn bare(format: LogFormat) -> LineStyle {
        LineStyle { format, types: JsonTypes::Table, kong_initiated: KongInitiated::Boolean, key: None }
    }

    #[test]
    fn every_event_reads_back_and_verifies_in_every_format() {
        let signing = Signing::generate().unwrap();
        let keys = PublicKeys::from_jwks(&signing.jwks());
        for event in organization().into_iter().chain(portal()) {
            for format in [LogFormat::Json, LogFormat::Cef, LogFormat::Cps] {
                for (types, key) in [(JsonTypes::Table, Key::First), (JsonTypes::Examples, Key::Second)] {
                    let style = LineStyle { types, kong_initiated: KongInitiated::String, ..bare(format) };
                    let line = event.line(LineStyle { key: Some(key), ..style }, &signing);
                    let parsed = ParsedLine::parse(&line).unwrap();
                    assert_eq!((&parsed.trace_id, parsed.rt.as_str()), (&event.trace_id, "1750688927556"), "{line}");
                    assert_eq!(parsed.signed_part(&line), event.line(style, &signing));
                    assert!(keys.verify(&parsed.signed_part(&line), &parsed.sig.clone().unwrap()));
                }
            }
        }
    }

    #[test]
    fn a_line_has_what_every_event_has_and_a_trace_id_that_fits_a_signed_number() {
        for event in organization().into_iter().chain(portal()) {
            for key in ["rt", "trace_id", "org_id", "principal_id", "src", "user_agent", "name", "severity"] {
                assert!(event.fields.contains_key(key), "{key}");
            }
            assert!(event.trace_id.parse::<i64>().unwrap() >= 0);
        }
    }

    #[test]
    fn a_portal_has_logins_only() {
        let events = portal();
        assert!(events.iter().all(|event| event.kind() == Kind::Authentication));
        assert!(events.iter().all(|event| event.fields["portal_id"] == "p1"));
        assert!(events.iter().all(|event| !event.fields.contains_key("kong_initiated")));
    }

    #[test]
    fn the_organization_has_all_three_kinds_and_no_portal() {
        let events = organization();
        for kind in [Kind::Authentication, Kind::Authorization, Kind::Access] {
            assert_eq!(events.iter().filter(|event| event.kind() == kind).count(), 40);
        }
        assert!(events.iter().all(|event| !event.fields.contains_key("portal_id")));
    }

    #[test]
    fn severities_follow_from_what_happened() {
        let mut seen = std::collections::BTreeSet::new();
        for event in organization() {
            let expected = match event.kind() {
                Kind::Authentication => match event.text("name").trim_start_matches("AUTHENTICATION_OUTCOME_") {
                    "SUCCESS" => 0,
                    "NOT_FOUND" | "INVALID_PASSWORD" | "TOKEN_EXPIRED" => 1,
                    "LOCKED" | "DISABLED" => 6,
                    _ => 7,
                },
                Kind::Authorization => {
                    if event.fields["granted"] == true {
                        1
                    } else {
                        6
                    }
                }
                Kind::Access => match event.text("status").as_str() {
                    "401" | "403" => 6,
                    "500" => 10,
                    _ => 1,
                },
            };
            assert_eq!(event.fields["severity"], expected, "{event:?}");
            let good = event.text("name") == "AUTHENTICATION_OUTCOME_SUCCESS";
            assert!(event.kind() != Kind::Authentication || event.fields["success"] == good);
            seen.insert((format!("{:?}", event.kind()), expected));
        }
        assert_eq!(seen.len(), 4 + 2 + 3, "every severity: {seen:?}");
    }

    #[test]
    fn who_did_it_may_have_a_name_and_be_kong_itself() {
        let events = organization();
        let with = |key: &str| events.iter().filter(|event| event.fields.contains_key(key)).count();
        assert_eq!(with("principal_name"), 60);
        assert!(
            with("kong_initiated") > 0
                && events.iter().all(|event| {
                    event.kind() != Kind::Authentication || !event.fields.contains_key("kong_initiated")
                })
        );
        assert!(events.iter().any(|event| event.text("user_agent").contains(' ')));
        assert!(events.iter().any(|event| event.text("user_agent").is_empty()));
    }

    #[test]
    fn cef_has_its_extensions_in_the_order_of_the_examples() {
        let signing = Signing::generate().unwrap();
        let cef = |event: &AuditEvent| event.line(bare(LogFormat::Cef), &signing);
        for (event, header, order) in [
            (
                &portal()[0],
                "|KongInc|Dev-Portal|1.0|AUTHENTICATION_TYPE_BASIC|AUTHENTICATION_OUTCOME_SUCCESS|0|rt=1750688927556 src=",
                vec![
                    "rt",
                    "src",
                    "request",
                    "success",
                    "org_id",
                    "portal_id",
                    "principal_id",
                    "trace_id",
                    "user_agent",
                ],
            ),
            (
                &organization()[0],
                "|KongInc|Konnect|1.0|KongGateway|Ingress|1|rt=1750688927556 src=",
                vec![
                    "rt",
                    "src",
                    "request",
                    "act",
                    "status",
                    "org_id",
                    "principal_id",
                    "user_agent",
                    "trace_id",
                    "query",
                ],
            ),
            (
                &organization()[2],
                "|KongInc|Konnect|1.0|konnect|Authz.portals|1|rt=1750688927556 src=",
                vec!["rt", "src", "action", "granted", "org_id", "principal_id", "actor_id", "trace_id", "user_agent"],
            ),
        ] {
            let line = cef(event);
            assert!(line.contains(&format!(" konghq.com CEF:0{header}")), "{line}");
            let places: Vec<_> = order.iter().map(|key| line.find(&format!("{key}=")).unwrap()).collect();
            assert!(places.is_sorted(), "{line}");
        }
    }

    #[test]
    fn json_has_the_types_of_the_table_or_those_of_the_examples() {
        let event = &portal()[0];
        let table = event.typed(bare(LogFormat::Json));
        assert!(table["rt"].is_i64() && table["success"] == true && table["trace_id"].is_string());
        let of_examples = LineStyle { types: JsonTypes::Examples, ..bare(LogFormat::Json) };
        let examples = event.typed(of_examples);
        assert!(examples["rt"].is_string() && examples["success"] == "true" && examples["trace_id"].is_u64());
        assert!(!organization()[0].typed(of_examples).contains_key("success"), "only what is there is written");
    }

    #[test]
    fn kong_initiated_is_the_boolean_of_the_attributes_or_a_string_as_the_list_of_types_has_it() {
        for (kong_initiated, expected) in
            [(KongInitiated::Boolean, json!(true)), (KongInitiated::String, json!("true"))]
        {
            let style = LineStyle { kong_initiated, ..bare(LogFormat::Json) };
            let events = organization();
            let initiated = events.iter().filter_map(|event| event.typed(style).get("kong_initiated").cloned());
            let initiated: Vec<_> = initiated.collect();
            assert!(!initiated.is_empty() && initiated.iter().all(|value| *value == expected), "{initiated:?}");
        }
    }
}
