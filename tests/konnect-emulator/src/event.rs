//! Audit events, and the three line formats they are delivered in.
//!
//! CEF, JSON and CPS (the JSON object under `event`). Nothing is sent from here.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::model::{Scope, TargetKey};
use crate::signing::Signing;

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
    /// Identifies the event here and at receivers.
    pub trace_id: String,
    /// Every field of the line but the signature.
    pub fields: Map<String, Value>,
}

impl AuditEvent {
    /// An authentication event, the only kind a Dev Portal's log holds; the organization's gets one of an API access too.
    pub(crate) fn new(target: &TargetKey, org_id: &str, at: DateTime<Utc>, serial: usize) -> Self {
        let (id, _) = Uuid::new_v4().as_u64_pair();
        let trace_id = id.to_string();
        let mut fields = common_fields(org_id, at, &trace_id);
        fields.extend(match &target.scope {
            Scope::Portal(portal) => portal_fields(portal),
            Scope::Organization if serial.is_multiple_of(2) => access_fields(),
            Scope::Organization => authentication_fields("Konnect", "/api/v1/authenticate"),
        });
        Self { at, trace_id, fields }
    }

    /// The line in a format, signed with `signing` if given. The same event gives the same line every time.
    pub(crate) fn line(&self, format: LogFormat, signing: Option<&Signing>) -> String {
        let bare = match format {
            LogFormat::Json => Value::Object(self.fields.clone()).to_string(),
            LogFormat::Cps => json!({ "event": self.fields }).to_string(),
            LogFormat::Cef => self.cef(),
        };
        signing.map_or_else(|| bare.clone(), |signing| with_signature(&bare, format, &signing.sign(&bare)))
    }

    fn cef(&self) -> String {
        let text = |key: &str| self.fields.get(key).map(plain).unwrap_or_default();
        let header = ["event_vendor", "event_product", "event_version", "event_class_id", "name", "severity"];
        let extension = self
            .fields
            .iter()
            .filter(|(key, _)| !header.contains(&key.as_str()) && !NOT_IN_CEF.contains(&key.as_str()));
        let extension: Vec<String> = extension.map(|(key, value)| format!("{key}={}", plain(value))).collect();
        format!("{} konghq.com CEF:0|{}|{}", text("event_ts"), header.map(text).join("|"), extension.join(" "))
    }
}

const NOT_IN_CEF: [&str; 2] = ["event_ts", "cef_version"];

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
        "user_agent": "konnect-emulator/1.0",
    }))
}

fn authentication_fields(product: &str, request: &str) -> Map<String, Value> {
    object(json!({
        "event_class_id": "AUTHENTICATION_TYPE_BASIC",
        "event_product": product,
        "name": "AUTHENTICATION_OUTCOME_SUCCESS",
        "request": request,
        "severity": 0,
        "success": true,
    }))
}

fn portal_fields(portal_id: &str) -> Map<String, Value> {
    let mut fields = authentication_fields("Dev-Portal", "/api/v2/developer/authenticate");
    fields.insert("portal_id".to_owned(), portal_id.into());
    fields
}

fn access_fields() -> Map<String, Value> {
    object(json!({
        "act": "POST",
        "event_class_id": "KongGateway",
        "event_product": "Konnect",
        "name": "Ingress",
        "query": "{}",
        "request": "/konnect-api/api/v2/control-planes",
        "severity": 1,
        "status": 201,
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

    fn events() -> Vec<AuditEvent> {
        let at = DateTime::from_timestamp_millis(1_750_688_927_556).unwrap();
        let portal = TargetKey::portal("acme", "eu", "p1");
        let organization = TargetKey::organization("acme", "eu");
        [(portal, 0), (organization.clone(), 0), (organization, 1)]
            .map(|(key, n)| AuditEvent::new(&key, "o1", at, n))
            .to_vec()
    }

    #[test]
    fn every_format_reads_back_and_verifies() {
        let signing = Signing::generate().unwrap();
        let keys = PublicKeys::from_jwks(&signing.jwks());
        for event in events() {
            for format in [LogFormat::Json, LogFormat::Cef, LogFormat::Cps] {
                let line = event.line(format, Some(&signing));
                let parsed = ParsedLine::parse(&line).unwrap();
                assert_eq!((&parsed.trace_id, parsed.rt.as_str()), (&event.trace_id, "1750688927556"), "{line}");
                assert_eq!(parsed.signed_part(&line), event.line(format, None));
                assert!(keys.verify(&parsed.signed_part(&line), &parsed.sig.clone().unwrap()));
            }
        }
    }

    #[test]
    fn a_line_has_what_every_event_has() {
        for event in events() {
            for key in ["rt", "trace_id", "org_id", "principal_id", "src", "user_agent"] {
                assert!(event.fields.contains_key(key), "{key}");
            }
        }
    }

    #[test]
    fn a_portal_has_authentication_events_only() {
        let event = events().remove(0);
        assert_eq!(event.fields["event_class_id"], "AUTHENTICATION_TYPE_BASIC");
        assert_eq!(event.fields["portal_id"], "p1");
        let line = event.line(LogFormat::Cef, None);
        assert!(
            line.contains("CEF:0|KongInc|Dev-Portal|1.0|AUTHENTICATION_TYPE_BASIC|AUTHENTICATION_OUTCOME_SUCCESS|0|"),
            "{line}"
        );
    }
}
