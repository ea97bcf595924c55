//! The audit-log webhook of one target: how it is configured, what the wire shows of it, how its last attempt went.
//!
//! It sends nothing; see `delivery`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::event::LogFormat;
use crate::model::{ApiVersion, Scope, wire_time};

/// Where a target's events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Endpoint that takes the POSTs, `http` or `https`.
    pub url: String,
    /// Whether events are sent. When false, the webhook shows, and neither live events nor replays are delivered.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Format of the lines.
    #[serde(default)]
    pub log_format: LogFormat,
    /// Whether lines carry `sig`.
    #[serde(default = "yes")]
    pub signed: bool,
    /// Value of the `Authorization` header sent along.
    #[serde(default)]
    pub authorization: Option<String>,
    /// Take any certificate of an `https` endpoint.
    #[serde(default)]
    pub skip_ssl_verification: bool,
    /// Konnect's name for the endpoint; v3 and portals show this instead of the URL.
    #[serde(default = "new_id")]
    pub destination_id: String,
}

impl Webhook {
    /// An enabled webhook with signed JSON lines and a new destination id.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            enabled: true,
            log_format: LogFormat::Json,
            signed: true,
            authorization: None,
            skip_ssl_verification: false,
            destination_id: new_id(),
        }
    }

    /// The same, not enabled.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The same, with lines in another format.
    #[must_use]
    pub fn log_format(mut self, log_format: LogFormat) -> Self {
        self.log_format = log_format;
        self
    }
}

fn yes() -> bool {
    true
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// How the last delivery attempt went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAttempt {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The receiver's status; none when there was no answer.
    pub response_code: Option<u16>,
    /// The status in words, or the connection error.
    pub message: String,
}

/// A target's webhook with what is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebhookSlot {
    pub(crate) webhook: Option<Webhook>,
    pub(crate) updated_at: Option<DateTime<Utc>>,
    pub(crate) last: Option<LastAttempt>,
}

impl WebhookSlot {
    /// A new configuration forgets how deliveries to the old one went.
    pub(crate) fn set(&mut self, webhook: Option<Webhook>, now: DateTime<Utc>) {
        let same = |old: &Webhook, new: &Webhook| old.destination_id == new.destination_id && old.url == new.url;
        let kept = self.webhook.as_ref().zip(webhook.as_ref()).is_some_and(|(old, new)| same(old, new));
        self.last = self.last.take().filter(|_| kept);
        self.webhook = webhook;
        self.updated_at = Some(now);
    }

    /// The webhook that takes events now.
    pub(crate) fn enabled(&self) -> Option<&Webhook> {
        self.webhook.as_ref().filter(|webhook| webhook.enabled)
    }

    /// The body of `GET …/audit-log-webhook`; none is a 404. The organization's v2 form always answers.
    pub(crate) fn to_json(&self, scope: &Scope, version: ApiVersion) -> Option<Value> {
        let webhook = self.webhook.as_ref();
        if uses_endpoint(scope, version) {
            return Some(webhook.map_or_else(|| json!({"enabled": false}), |webhook| self.endpoint_json(webhook)));
        }
        webhook.map(|webhook| json!({"enabled": webhook.enabled, "audit_log_destination_id": webhook.destination_id}))
    }

    fn endpoint_json(&self, webhook: &Webhook) -> Value {
        json!({
            "endpoint": webhook.url,
            "enabled": webhook.enabled,
            "log_format": webhook.log_format,
            "skip_ssl_verification": webhook.skip_ssl_verification,
            "updated_at": wire_time(self.updated_at),
        })
    }

    /// The body of `GET …/audit-log-webhook/status`.
    pub(crate) fn status_json(&self) -> Value {
        let mut status = Map::new();
        status.insert("webhook_enabled".to_owned(), self.enabled().is_some().into());
        status.insert("webhook_status".to_owned(), self.status_word().into());
        if let Some(last) = &self.last {
            status.insert("last_attempt_at".to_owned(), wire_time(Some(last.at)).into());
            status.insert("last_response_message".to_owned(), last.message.as_str().into());
            status.extend(last.response_code.map(|code| ("last_response_code".to_owned(), code.into())));
        }
        Value::Object(status)
    }

    /// `active` until an attempt fails, whether enabled or not.
    fn status_word(&self) -> &'static str {
        let failed = |last: &LastAttempt| !last.response_code.is_some_and(|code| (200..300).contains(&code));
        match &self.webhook {
            None => "unconfigured",
            Some(_) if self.last.as_ref().is_some_and(failed) => "inactive",
            Some(_) => "active",
        }
    }
}

/// Only the organization's v2 webhook names its endpoint; all others name a destination.
pub(crate) fn uses_endpoint(scope: &Scope, version: ApiVersion) -> bool {
    *scope == Scope::Organization && version == ApiVersion::V2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(webhook: Option<Webhook>, answer: Answered) -> WebhookSlot {
        let last = |response_code| LastAttempt { at: Utc::now(), response_code, message: String::new() };
        let last = match answer {
            Answered::NeverTried => None,
            Answered::Nothing => Some(last(None)),
            Answered::Status(code) => Some(last(Some(code))),
        };
        WebhookSlot { webhook, updated_at: None, last }
    }

    #[derive(Clone, Copy)]
    enum Answered {
        NeverTried,
        Nothing,
        Status(u16),
    }
    use Answered::{NeverTried, Nothing, Status};

    #[test]
    fn the_status_words_are_as_documented() {
        let on = || Some(Webhook::new("http://127.0.0.1:1"));
        let off = || on().map(Webhook::disabled);
        for (webhook, code, enabled, word) in [
            (None, NeverTried, false, "unconfigured"),
            (on(), NeverTried, true, "active"),
            (on(), Status(202), true, "active"),
            (on(), Status(503), true, "inactive"),
            (on(), Nothing, true, "inactive"),
            (off(), NeverTried, false, "active"),
            (off(), Status(500), false, "inactive"),
        ] {
            let json = slot(webhook, code).status_json();
            assert_eq!((&json["webhook_enabled"], &json["webhook_status"]), (&json!(enabled), &json!(word)));
        }
    }

    #[test]
    fn only_the_organizations_v2_form_names_an_endpoint() {
        let portal = Scope::Portal("p".to_owned());
        let set = slot(Some(Webhook::new("http://127.0.0.1:1")), NeverTried);
        for (scope, version, key) in [
            (&portal, ApiVersion::V2, "audit_log_destination_id"),
            (&portal, ApiVersion::V3, "audit_log_destination_id"),
            (&Scope::Organization, ApiVersion::V3, "audit_log_destination_id"),
            (&Scope::Organization, ApiVersion::V2, "endpoint"),
        ] {
            assert!(set.to_json(scope, version).unwrap().get(key).is_some(), "{scope:?} {version:?}");
        }
        let none = slot(None, NeverTried);
        assert_eq!(none.to_json(&portal, ApiVersion::V2), None);
        assert_eq!(none.to_json(&Scope::Organization, ApiVersion::V3), None);
        assert!(none.to_json(&Scope::Organization, ApiVersion::V2).is_some());
    }

    #[test]
    fn another_endpoint_begins_without_a_history() {
        let mut slot = slot(Some(Webhook::new("http://127.0.0.1:1")), Status(503));
        slot.set(slot.webhook.clone(), Utc::now());
        assert!(slot.last.is_some());
        slot.set(Some(Webhook::new("http://127.0.0.1:2")), Utc::now());
        assert!(slot.last.is_none());
    }
}
