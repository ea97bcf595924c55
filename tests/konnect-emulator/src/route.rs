//! Reads the paths of the Konnect API: `/{region}/{v2|v3}/[portals/{portalId}/]{what}`.
//!
//! Text in, a [`Route`] out. It does not know which regions or portals exist.

use serde::{Deserialize, Serialize};

use crate::model::{ApiVersion, Scope, canonical_id, is_region};

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
}

impl PathKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [Self::ReplayJob, Self::Webhook, Self::WebhookStatus, Self::Jwks];

    /// Its name in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReplayJob => "replay-job",
            Self::Webhook => "webhook",
            Self::WebhookStatus => "webhook-status",
            Self::Jwks => "jwks",
        }
    }

    /// What can be done with it.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::ReplayJob => &["GET", "PUT"],
            Self::Webhook => &["GET", "PUT", "PATCH"],
            Self::WebhookStatus | Self::Jwks => &["GET"],
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
        let kind = match rest {
            ["audit-log-replay-job"] => PathKind::ReplayJob,
            ["audit-log-webhook"] => PathKind::Webhook,
            ["audit-log-webhook", "status"] => PathKind::WebhookStatus,
            _ => return None,
        };
        is_region(region).then(|| Self { region: Some(region.to_owned()), version, scope, kind })
    }

    fn jwks() -> Self {
        Self { region: None, version: ApiVersion::V2, scope: Scope::Organization, kind: PathKind::Jwks }
    }

    /// The portal named, if any.
    pub(crate) fn portal(&self) -> Option<&str> {
        match &self.scope {
            Scope::Portal(id) => Some(id),
            Scope::Organization => None,
        }
    }
}

const JWKS: [&str; 2] = ["audit-log-webhook", "jwks.json"];

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
        ] {
            assert_eq!(kind(path), None, "{path}");
        }
    }
}
