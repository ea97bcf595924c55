//! The audit-log webhook of one target: how it is configured, what the wire shows of it, how its last attempt went.
//!
//! It sends nothing; see `delivery`.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::behaviour::Q12;
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

impl LastAttempt {
    fn has_failed(&self) -> bool {
        !self.response_code.is_some_and(|code| (200..300).contains(&code))
    }
}

/// Statuses kept for GETs that lag; a GET that lags more sees the oldest.
const KEPT: usize = 1_000;

/// A target's webhook with what is known of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WebhookSlot {
    pub(crate) webhook: Option<Webhook>,
    updated_at: Option<DateTime<Utc>>,
    last: Option<LastAttempt>,
    /// Failed attempts since the last that succeeded, or since the webhook was configured.
    failures: u32,
    /// It has turned itself off (Q12).
    off: bool,
    /// Each earlier status, with when it gave way to the next.
    past: VecDeque<(DateTime<Utc>, Value)>,
}

impl WebhookSlot {
    /// A new configuration forgets how deliveries to the old one went, and turns on what has turned itself off.
    pub(crate) fn set(&mut self, webhook: Option<Webhook>, now: DateTime<Utc>) {
        let same = |old: &Webhook, new: &Webhook| old.destination_id == new.destination_id && old.url == new.url;
        let kept = self.webhook.as_ref().zip(webhook.as_ref()).is_some_and(|(old, new)| same(old, new));
        self.remember(now);
        self.last = self.last.take().filter(|_| kept);
        self.webhook = webhook;
        self.updated_at = Some(now);
        (self.failures, self.off) = (0, false);
    }

    /// Notes how an attempt went.
    pub(crate) fn attempted(&mut self, last: LastAttempt, q12: Q12, now: DateTime<Utc>) {
        self.remember(now);
        self.failures = if last.has_failed() { self.failures.saturating_add(1) } else { 0 };
        self.off |= match q12 {
            Q12::KeepsTrying => false,
            Q12::TurnsOffAfter(failures) => self.failures >= failures.max(1),
        };
        self.last = Some(last);
    }

    fn remember(&mut self, now: DateTime<Utc>) {
        if self.past.len() >= KEPT {
            self.past.pop_front();
        }
        self.past.push_back((now, self.status()));
    }

    /// The webhook that takes events now, or why none does.
    pub(crate) fn ready(&self) -> Result<&Webhook, &'static str> {
        match self.webhook.as_ref().filter(|webhook| webhook.enabled) {
            None => Err("no webhook is enabled"),
            Some(_) if self.off => Err("the webhook has turned itself off"),
            Some(webhook) => Ok(webhook),
        }
    }

    /// Whether it has turned itself off (Q12).
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// The body of `GET …/audit-log-webhook`; none is a 404. The organization's v2 form always answers.
    pub(crate) fn to_json(&self, scope: &Scope, version: ApiVersion) -> Option<Value> {
        let webhook = self.webhook.as_ref();
        if uses_endpoint(scope, version) {
            let unconfigured = || json!({"enabled": false, "endpoint": "unconfigured"});
            return Some(webhook.map_or_else(unconfigured, |webhook| self.endpoint_json(webhook)));
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

    /// The body of `GET …/audit-log-webhook/status`, as it was at that time.
    pub(crate) fn status_at(&self, time: DateTime<Utc>) -> Value {
        let past = self.past.iter().find(|(until, _)| *until > time).map(|(_, status)| status.clone());
        past.unwrap_or_else(|| self.status())
    }

    /// The same, as it is.
    pub(crate) fn status(&self) -> Value {
        let mut status = Map::new();
        let enabled = self.webhook.as_ref().is_some_and(|webhook| webhook.enabled);
        status.insert("webhook_enabled".to_owned(), enabled.into());
        status.insert("webhook_status".to_owned(), self.status_word().into());
        if let Some(last) = &self.last {
            status.insert("last_attempt_at".to_owned(), wire_time(Some(last.at)).into());
            status.insert("last_response_message".to_owned(), last.message.as_str().into());
            status.extend(last.response_code.map(|code| ("last_response_code".to_owned(), code.into())));
        }
        Value::Object(status)
    }

    /// `active` until an attempt fails, whether enabled or not. What has turned itself off stays `inactive`, also if an attempt that
    /// was under way then succeeds.
    fn status_word(&self) -> &'static str {
        match &self.webhook {
            None => "unconfigured",
            Some(_) if self.off => "inactive",
            Some(_) if self.last.as_ref().is_some_and(LastAttempt::has_failed) => "inactive",
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
        WebhookSlot { webhook, last, ..WebhookSlot::default() }
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
            let json = slot(webhook, code).status();
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

    #[test]
    fn a_webhook_that_fails_turns_itself_off_or_does_not() {
        let attempt = |code| LastAttempt { at: Utc::now(), response_code: Some(code), message: String::new() };
        for (q12, answers, ready) in [
            (Q12::KeepsTrying, vec![500; 9], true),
            (Q12::TurnsOffAfter(2), vec![500, 200, 500], true),
            (Q12::TurnsOffAfter(2), vec![500, 500], false),
            (Q12::TurnsOffAfter(2), vec![500, 500, 200], false),
        ] {
            let mut slot = slot(Some(Webhook::new("http://127.0.0.1:1")), NeverTried);
            for code in &answers {
                slot.attempted(attempt(*code), q12, Utc::now());
            }
            assert_eq!(slot.ready().is_ok(), ready, "{q12:?} {answers:?}");
            assert_eq!(slot.status()["webhook_enabled"], true, "that is what was configured");
            assert!(ready || slot.status()["webhook_status"] == "inactive", "{q12:?} {answers:?}: it sends nothing");
            slot.set(slot.webhook.clone(), Utc::now());
            assert!(slot.ready().is_ok(), "until it is configured again");
        }
    }

    #[test]
    fn a_status_of_the_past_is_what_was_shown_then() {
        let now = Utc::now();
        let at = |seconds| now + chrono::TimeDelta::seconds(seconds);
        let mut slot = WebhookSlot::default();
        slot.set(Some(Webhook::new("http://127.0.0.1:1")), at(10));
        slot.attempted(
            LastAttempt { at: at(20), response_code: Some(503), message: String::new() },
            Q12::KeepsTrying,
            at(20),
        );
        let word = |seconds| slot.status_at(at(seconds))["webhook_status"].clone();
        assert_eq!([word(9), word(10), word(19), word(20)], ["unconfigured", "active", "active", "inactive"]);
    }
}
