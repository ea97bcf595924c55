//! Reads the paths of the Konnect API: `/{region}/{v2|v3}/[portals/{portalId}/]{what}[/{id}]`.
//!
//! Text in, a [`Route`] out. It does not know which regions or portals exist.

use serde::{Deserialize, Serialize};

use crate::model::{ApiVersion, Scope, canonical_id, is_region};
use crate::webhook::uses_endpoint;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// `audit-log-replay-job`
    ReplayJob,
    /// `audit-log-webhook`
    Webhook,
    /// `audit-log-webhook/status`
    WebhookStatus,
    /// `audit-log-webhook/jwks.json`
    Jwks,
    /// `audit-log-destinations`
    Destinations,
    /// `audit-log-destinations/{id}`
    Destination,
    /// `portals`
    Portals,
    /// `audit-logs`, of v3
    AuditLogs,
}

impl PathKind {
    /// Every kind there is.
    pub const ALL: [Self; 8] = [
        Self::ReplayJob,
        Self::Webhook,
        Self::WebhookStatus,
        Self::Jwks,
        Self::Destinations,
        Self::Destination,
        Self::Portals,
        Self::AuditLogs,
    ];

    /// Its name in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplayJob => "replay-job",
            Self::Webhook => "webhook",
            Self::WebhookStatus => "webhook-status",
            Self::Jwks => "jwks",
            Self::Destinations => "destinations",
            Self::Destination => "destination",
            Self::Portals => "portals",
            Self::AuditLogs => "audit-logs",
        }
    }

    /// What can be done with it, in one scope and version at least.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::ReplayJob => &["GET", "PUT"],
            Self::Webhook | Self::Destination => &["GET", "PATCH", "DELETE"],
            Self::Destinations => &["GET", "POST"],
            Self::WebhookStatus | Self::Jwks | Self::Portals | Self::AuditLogs => &["GET"],
        }
    }
}

/// A path that Konnect serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// None for the public keys, which every host serves.
    pub(crate) region: Option<String>,
    pub(crate) version: ApiVersion,
    pub(crate) scope: Scope,
    pub(crate) kind: PathKind,
    /// Id of a destination; empty for all else.
    pub(crate) item: String,
}

impl Route {
    /// The route of a path without its query, or none when Konnect has no such path.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["v2", rest @ ..] | [_, "v2", rest @ ..] if *rest == JWKS => Some(Self::jwks()),
            [region, version, "portals", id, rest @ ..] if !id.is_empty() => {
                Self::regional(region, version, Scope::Portal(canonical_id(id)), rest)
            }
            [region, version, rest @ ..] => Self::regional(region, version, Scope::Organization, rest),
            _ => None,
        }
    }

    fn regional(region: &str, version: &str, scope: Scope, rest: &[&str]) -> Option<Self> {
        let version = match version {
            "v2" => ApiVersion::V2,
            "v3" => ApiVersion::V3,
            _ => return None,
        };
        let of_organization = scope == Scope::Organization;
        let (kind, item) = match rest {
            ["audit-log-replay-job"] => (PathKind::ReplayJob, ""),
            ["audit-log-webhook"] => (PathKind::Webhook, ""),
            ["audit-log-webhook", "status"] => (PathKind::WebhookStatus, ""),
            ["audit-log-destinations"] if of_organization => (PathKind::Destinations, ""),
            ["audit-log-destinations", id] if of_organization && !id.is_empty() => (PathKind::Destination, *id),
            ["portals"] if of_organization => (PathKind::Portals, ""),
            ["audit-logs"] if of_organization && version == ApiVersion::V3 => (PathKind::AuditLogs, ""),
            _ => return None,
        };
        let is_served = is_region(region) || (region == GLOBAL && kind.is_global());
        is_served.then(|| Self { region: Some(region.to_owned()), version, scope, kind, item: canonical_id(item) })
    }

    fn jwks() -> Self {
        let item = String::new();
        Self { region: None, version: ApiVersion::V2, scope: Scope::Organization, kind: PathKind::Jwks, item }
    }

    /// What can be done here. The organization's v2 webhook cannot be deleted.
    pub(crate) fn methods(&self) -> &'static [&'static str] {
        if self.kind == PathKind::Webhook && uses_endpoint(&self.scope, self.version) {
            return &["GET", "PATCH"];
        }
        self.kind.methods()
    }

    /// The portal named, if any.
    pub(crate) fn portal(&self) -> Option<&str> {
        match &self.scope {
            Scope::Portal(id) => Some(id),
            Scope::Organization => None,
        }
    }
}

impl PathKind {
    /// Whether the global host serves it too.
    fn is_global(self) -> bool {
        matches!(self, Self::Destinations | Self::Destination)
    }
}

const JWKS: [&str; 2] = ["audit-log-webhook", "jwks.json"];

/// The host of what belongs to no region.
const GLOBAL: &str = "global";

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &str) -> Option<(PathKind, Scope)> {
        Route::parse(path).map(|route| (route.kind, route.scope))
    }

    #[test]
    fn every_documented_path_is_known() {
        let portal = || Scope::Portal("p1".to_owned());
        for version in ["v2", "v3"] {
            let base = format!("/eu/{version}");
            for (rest, expected) in [
                ("audit-log-replay-job", PathKind::ReplayJob),
                ("audit-log-webhook", PathKind::Webhook),
                ("audit-log-webhook/status", PathKind::WebhookStatus),
            ] {
                assert_eq!(kind(&format!("{base}/{rest}")), Some((expected, Scope::Organization)));
                assert_eq!(kind(&format!("{base}/portals/p1/{rest}")), Some((expected, portal())));
            }
            for (rest, expected) in [
                ("audit-log-destinations", PathKind::Destinations),
                ("audit-log-destinations/d1", PathKind::Destination),
                ("portals", PathKind::Portals),
            ] {
                assert_eq!(kind(&format!("{base}/{rest}")), Some((expected, Scope::Organization)));
            }
        }
        assert_eq!(kind("/eu/v3/audit-logs"), Some((PathKind::AuditLogs, Scope::Organization)));
    }

    #[test]
    fn destinations_are_on_the_global_host_too() {
        for path in ["/global/v2/audit-log-destinations", "/global/v3/audit-log-destinations/d1"] {
            assert!(kind(path).is_some(), "{path}");
        }
    }

    #[test]
    fn the_webhook_of_an_organization_is_deleted_in_v3_only() {
        for (path, deletes) in [
            ("/eu/v2/audit-log-webhook", false),
            ("/eu/v3/audit-log-webhook", true),
            ("/eu/v2/portals/p1/audit-log-webhook", true),
        ] {
            assert_eq!(Route::parse(path).unwrap().methods().contains(&"DELETE"), deletes, "{path}");
        }
    }

    #[test]
    fn the_public_keys_are_on_every_host() {
        for path in ["/v2/audit-log-webhook/jwks.json", "/global/v2/audit-log-webhook/jwks.json"] {
            assert_eq!(kind(path), Some((PathKind::Jwks, Scope::Organization)), "{path}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for path in [
            "/",
            "/global/v2/audit-log-replay-job",
            "/eu/v1/audit-log-replay-job",
            "/eu/v2/portals//audit-log-replay-job",
            "/eu/v2/portals/p1",
            "/eu/v2/audit-log-replay-jobs",
            "/v2/audit-log-replay-job",
            "/global/v3/audit-logs",
            "/global/v3/portals",
            "/eu/v2/audit-logs",
            "/eu/v2/portals/p1/audit-log-destinations",
        ] {
            assert_eq!(kind(path), None, "{path}");
        }
    }
}
