//! What Konnect answers, as far as we need it. Konnect requires no property, so every one is optional here, and a value of
//! an unexpected type or form is treated as absent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use super::limits::clean;
use super::time::parse_lenient;
use crate::open_enum::open_enum;

open_enum! {
    /// The status of a replay job (docs/konnect-api.md 1).
    pub enum RemoteStatus {
        /// Never set up.
        Unconfigured => "unconfigured",
        /// Accepted for scheduling.
        Accepted => "accepted",
        /// Scheduled.
        Pending => "pending",
        /// In progress: a PUT answers 409.
        Running => "running",
        /// Finished with no errors.
        Completed => "completed",
        /// Failed.
        Failed => "failed",
    }
}

impl RemoteStatus {
    /// Whether a PUT now could hit somebody's run. What PUT does to an accepted or pending job is documented nowhere, and a
    /// word we do not know could mean anything: both count as busy.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Accepted | Self::Pending | Self::Running | Self::Unknown(_) => true,
            Self::Unconfigured | Self::Completed | Self::Failed => false,
        }
    }
}

/// The replay job of a target: a singleton without an id, known only by these four values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RemoteJob {
    /// How far it is. An answer without a status says nothing about a run, and is not taken for a free target.
    #[serde(default = "absent_status", deserialize_with = "status")]
    pub status: RemoteStatus,
    /// Start of its window.
    #[serde(default, deserialize_with = "time")]
    pub start_at: Option<DateTime<Utc>>,
    /// End of its window.
    #[serde(default, deserialize_with = "time")]
    pub end_at: Option<DateTime<Utc>>,
    /// When it last changed; whether that moves with each status is not documented.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// The webhook configuration of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// Whether it is switched on; Konnect's default is false.
    #[serde(default, deserialize_with = "lenient")]
    pub enabled: Option<bool>,
    /// Id of the destination (Dev Portals and v3).
    #[serde(default, deserialize_with = "lenient")]
    pub audit_log_destination_id: Option<String>,
    /// URL of the destination (organisations in v2).
    #[serde(default, deserialize_with = "lenient")]
    pub endpoint: Option<String>,
}

impl Webhook {
    /// Which destination it names: Konnect's id, or, of an organisation in v2, where there is none, a UUID (version 5) of the endpoint: an
    /// endpoint can carry a secret. `None` where it names none.
    pub fn destination(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref().filter(|endpoint| !matches!(*endpoint, "" | "unconfigured"));
        let of_endpoint = |url: &str| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, url.as_bytes()).to_string();
        self.audit_log_destination_id.clone().or_else(|| endpoint.map(of_endpoint))
    }
}

/// What Konnect knows of its deliveries to the webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct WebhookStatus {
    /// Whether it is switched on.
    #[serde(default, deserialize_with = "lenient")]
    pub webhook_enabled: Option<bool>,
    /// `active`, `inactive`, `unconfigured`.
    #[serde(default, deserialize_with = "lenient")]
    pub webhook_status: Option<String>,
    /// When it last delivered or tried to.
    #[serde(default, deserialize_with = "time")]
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// What the receiver answered then.
    #[serde(default, deserialize_with = "lenient")]
    pub last_response_code: Option<i32>,
}

fn absent_status() -> RemoteStatus {
    RemoteStatus::Unknown(String::new())
}

/// A status word; lower case, at most 64 characters, so that it fits `status.konnect.status` whatever arrives.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RemoteStatus, D::Error> {
    let word: Option<String> = lenient(deserializer)?;
    // Lower case first: it can be longer.
    let word = clean(&word.unwrap_or_default()).to_lowercase();
    Ok(RemoteStatus::from(word.chars().take(64).collect::<String>()))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text: Option<String> = lenient(deserializer)?;
    Ok(text.as_deref().and_then(parse_lenient))
}

/// Any JSON value; one of another type than `T` counts as absent.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(json: &str) -> RemoteJob {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_never_configured_job_has_no_times() {
        let job = job(
            r#"{"start_at":"0001-01-01T00:00:0Z","end_at":"0001-01-01T00:00:0Z","status":"unconfigured","updated_at":"0001-01-01T00:00:0Z"}"#,
        );
        assert_eq!(
            job,
            RemoteJob { status: RemoteStatus::Unconfigured, start_at: None, end_at: None, updated_at: None }
        );
    }

    #[test]
    fn an_unknown_word_is_kept_and_counts_as_busy() {
        let job = job(r#"{"status":"paused","progress":3}"#);
        assert_eq!(job.status, RemoteStatus::Unknown("paused".into()));
        assert!(job.status.is_busy());
    }

    #[test]
    fn an_absent_or_malformed_status_is_never_taken_for_free() {
        for json in ["{}", r#"{"status":null}"#, r#"{"status":7}"#, r#"{"status":{"a":1}}"#] {
            assert!(job(json).status.is_busy(), "{json}");
        }
    }

    #[test]
    fn a_value_of_another_type_counts_as_absent() {
        let webhook: Webhook = serde_json::from_str(r#"{"enabled":"yes","audit_log_destination_id":4}"#).unwrap();
        assert_eq!(webhook, Webhook::default());
    }
}
