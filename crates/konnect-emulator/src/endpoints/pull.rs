//! The pull API, `GET /v3/audit-logs`: the organization's events, by cursor.
//!
//! Its field names are not those of the webhook's lines.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::fields::{Invalid, invalid};
use super::query::{Query, in_query};
use super::{Endpoint, Outcome, cursor};
use crate::behaviour::{Behaviour, Q8};
use crate::event::{AuditEvent, Kind, LineStyle, LogFormat, ParsedLine};
use crate::settings::RETENTION;
use crate::signing::Key;
use crate::wire::{Answer, Rule};
use crate::world::World;

const PAGE_SIZE: usize = 20;
const LARGEST_PAGE: u32 = 1000;
const TYPES: &[&str] = &["authorization", "authentication", "gateway_access"];

impl Endpoint<'_> {
    pub(super) fn pull(&self, world: &mut World, now: DateTime<Utc>) -> Outcome {
        let behaviour = world.target_mut(&self.key)?.job.behaviour().clone();
        let query = self.query();
        query.allow(&["filter[ts][gte]", "filter[ts][lte]", "filter[type]"])?;
        let size = page_size(&query)?;
        let wanted = Wanted::read(&query, now)?;
        let events = world.pulled(&self.key.org, &self.key.region, now);
        let events: Vec<_> = events.into_iter().filter(|event| wanted.has(event)).collect();
        // One request makes several events, so a trace id alone names no event.
        let key = |event: &&AuditEvent| format!("{} {} {}", event.text("rt"), event.trace_id, event.text("name"));
        let page = cursor::page(&query, "/v3/audit-logs", (events, size), key)?;
        let data: Vec<Value> = page.items.into_iter().map(|event| self.item(event, &behaviour)).collect();
        Ok(Answer::json(200, &json!({"data": data, "meta": {"page": page.meta}})))
    }

    fn item(&self, event: &AuditEvent, behaviour: &Behaviour) -> Value {
        let mut item = match event.kind() {
            Kind::Authentication => authentication(event),
            Kind::Authorization => authorization(event),
            Kind::Access => access(event),
        };
        let ts = event.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let common = [
            ("ts", ts),
            ("org_id", event.text("org_id")),
            ("principal_id", event.text("principal_id")),
            ("client_ip", event.text("src")),
            ("trace_id", event.trace_id.clone()),
            ("user_agent", event.text("user_agent")),
            ("signature", self.signature(event, behaviour)),
        ];
        item.extend(common.map(|(key, value)| (key.to_owned(), value.into())));
        item.extend(event.fields.get("portal_id").map(|id| ("portal_id".to_owned(), id.clone())));
        Value::Object(item)
    }

    /// That of the JSON line as it is sent to the webhook.
    fn signature(&self, event: &AuditEvent, behaviour: &Behaviour) -> String {
        let key = match behaviour.q8 {
            Q8::Same => Key::First,
            Q8::Other => Key::Second,
        };
        let style = LineStyle {
            format: LogFormat::Json,
            types: behaviour.delivery.json_types,
            kong_initiated: behaviour.delivery.kong_initiated,
            key: Some(key),
        };
        ParsedLine::parse(&event.line(style, self.signing)).and_then(|line| line.sig).unwrap_or_default()
    }
}

/// Which events a client asks for.
struct Wanted {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    kind: Option<Kind>,
}

impl Wanted {
    fn read(query: &Query, now: DateTime<Utc>) -> Result<Self, Invalid> {
        let to = query.time("filter[ts][lte]")?.unwrap_or(now);
        let week = TimeDelta::from_std(RETENTION).unwrap_or_default();
        let from = query.time("filter[ts][gte]")?.unwrap_or(to - week);
        let kind = match query.text("filter[type]") {
            None => None,
            Some("authorization") => Some(Kind::Authorization),
            Some("authentication") => Some(Kind::Authentication),
            Some("gateway_access") => Some(Kind::Access),
            Some(_) => {
                let rule = Rule::Enum { choices: TYPES };
                return Err(in_query(invalid("filter[type]", rule, "is not one of the choices")));
            }
        };
        Ok(Self { from, to, kind })
    }

    fn has(&self, event: &AuditEvent) -> bool {
        self.from <= event.at && event.at <= self.to && self.kind.is_none_or(|kind| kind == event.kind())
    }
}

fn page_size(query: &Query) -> Result<usize, Invalid> {
    match query.count("page[size]")? {
        Some(size) if size > LARGEST_PAGE as usize => {
            Err(in_query(invalid("page[size]", Rule::Max { maximum: LARGEST_PAGE }, "is too large")))
        }
        size => Ok(size.unwrap_or(PAGE_SIZE)),
    }
}

fn authentication(event: &AuditEvent) -> Map<String, Value> {
    let word = |key: &str, prefix: &str| event.text(key).trim_start_matches(prefix).to_lowercase();
    object(json!({
        "type": "authentication",
        "successful": event.fields.get("success"),
        "outcome": word("name", "AUTHENTICATION_OUTCOME_"),
        "authentication_type": word("event_class_id", "AUTHENTICATION_TYPE_"),
        "uri": event.text("request"),
    }))
}

fn authorization(event: &AuditEvent) -> Map<String, Value> {
    let checked = event.text("name");
    let checked = checked.trim_start_matches("Authz.");
    object(json!({
        "type": "authorization",
        "service": event.text("event_class_id"),
        "resource": format!("krn:konnect:org:{}:{checked}", event.text("org_id")),
        "action": event.text("action"),
        "granted": event.fields.get("granted"),
        "actor_id": event.text("actor_id"),
    }))
}

fn access(event: &AuditEvent) -> Map<String, Value> {
    object(json!({
        "type": "gateway_access",
        "actor_id": event.text("actor_id"),
        "method": event.text("act"),
        "uri": event.text("request"),
        "query": event.text("query"),
        "status_code": event.fields.get("status"),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
