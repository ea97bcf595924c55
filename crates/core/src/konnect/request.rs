//! Requests as data: method, path and body. Building one cannot fail and sends nothing.

use http::Method;
use serde_json::json;

use super::time::format;
use crate::api::{ApiVersion, Scope, TimeRange};

/// Whose audit log, at which Konnect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteTarget {
    /// Base URL of the region, without a trailing slash.
    pub base_url: String,
    /// The region, for messages and metrics.
    pub region: String,
    /// The Dev Portal's id, or `None` for the organisation's own log. Checked to be a UUID: it enters a path.
    pub portal_id: Option<String>,
    /// The version in the path.
    pub version: ApiVersion,
}

impl RemoteTarget {
    /// Portal or organisation.
    pub fn scope(&self) -> Scope {
        if self.portal_id.is_some() { Scope::Portal } else { Scope::Organization }
    }
}

/// What is asked of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The replay job.
    ReplayJob,
    /// The webhook's configuration.
    Webhook,
    /// What Konnect knows of the webhook's deliveries.
    WebhookStatus,
}

/// One request to Konnect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET or PUT.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// JSON, for PUT.
    pub body: Option<String>,
}

impl Request {
    /// Reads `endpoint` of `target`.
    pub fn get(target: &RemoteTarget, endpoint: Endpoint) -> Self {
        Self { method: Method::GET, url: url(target, endpoint), body: None }
    }

    /// Asks for a replay. **Not idempotent**: each accepted one sends the events again.
    pub fn put_replay_job(target: &RemoteTarget, window: TimeRange) -> Self {
        let body = json!({ "start_at": format(window.start_at), "end_at": format(window.end_at) });
        Self { method: Method::PUT, url: url(target, Endpoint::ReplayJob), body: Some(body.to_string()) }
    }
}

fn url(target: &RemoteTarget, endpoint: Endpoint) -> String {
    let version = target.version.as_str();
    let resource = match endpoint {
        Endpoint::ReplayJob => "audit-log-replay-job",
        Endpoint::Webhook => "audit-log-webhook",
        Endpoint::WebhookStatus => "audit-log-webhook/status",
    };
    match &target.portal_id {
        Some(portal) => format!("{}/{version}/portals/{portal}/{resource}", target.base_url),
        None => format!("{}/{version}/{resource}", target.base_url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(portal: Option<&str>, version: ApiVersion) -> RemoteTarget {
        RemoteTarget {
            base_url: "https://eu.svc.konghq.com/api".into(),
            region: "eu".into(),
            portal_id: portal.map(str::to_owned),
            version,
        }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let portal = target(Some("6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10"), ApiVersion::V2);
        let organization = target(None, ApiVersion::V3);
        for (target, endpoint, path) in [
            (&portal, Endpoint::ReplayJob, "/v2/portals/6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10/audit-log-replay-job"),
            (&portal, Endpoint::Webhook, "/v2/portals/6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10/audit-log-webhook"),
            (&organization, Endpoint::ReplayJob, "/v3/audit-log-replay-job"),
            (&organization, Endpoint::WebhookStatus, "/v3/audit-log-webhook/status"),
        ] {
            assert_eq!(Request::get(target, endpoint).url, format!("https://eu.svc.konghq.com/api{path}"));
        }
    }

    #[test]
    fn a_put_carries_whole_seconds_in_utc() {
        let at = |s: &str| s.parse().unwrap();
        let window = TimeRange { start_at: at("2026-11-20T08:00:00.9Z"), end_at: at("2026-11-20T13:30:00+02:00") };
        let request = Request::put_replay_job(&target(None, ApiVersion::V2), window);
        assert_eq!(request.method, Method::PUT);
        assert_eq!(
            request.body.as_deref(),
            Some(r#"{"end_at":"2026-11-20T11:30:00Z","start_at":"2026-11-20T08:00:00Z"}"#)
        );
    }
}
