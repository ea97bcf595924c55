//! The words of the emulated service: targets, roles, windows, statuses.
//!
//! Plain data with their spellings. Nothing here knows time, sockets or who asked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// That much earlier, or the earliest time there is.
pub(crate) fn earlier(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    time.checked_sub_signed(by).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// What has an audit log, a webhook and a replay job of its own: one Dev Portal, or the organization in one region.
///
/// Its text form is `org/region/portalId`, or `org/region/organization`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// Name of the organization, as given to the emulator.
    pub org: String,
    /// Region, the first segment of the API path.
    pub region: String,
    /// The Dev Portal, or the organization itself.
    pub scope: Scope,
}

impl TargetKey {
    /// The target of one Dev Portal. A UUID is brought to lower case with dashes, so every spelling names one portal.
    pub fn portal(org: impl Into<String>, region: impl Into<String>, portal_id: impl AsRef<str>) -> Self {
        let scope = Scope::Portal(canonical_id(portal_id.as_ref()));
        Self { org: org.into(), region: region.into(), scope }
    }

    /// The target of the organization's own log in one region.
    pub fn organization(org: impl Into<String>, region: impl Into<String>) -> Self {
        Self { org: org.into(), region: region.into(), scope: Scope::Organization }
    }

    /// True for two targets that share the one replay at a time of a region (Q2, reading "per region").
    pub(crate) fn same_region(&self, other: &Self) -> bool {
        self.org == other.org && self.region == other.region
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match &self.scope {
            Scope::Portal(id) => id.as_str(),
            Scope::Organization => ORGANIZATION,
        };
        write!(f, "{}/{}/{scope}", self.org, self.region)
    }
}

impl FromStr for TargetKey {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let mut parts = text.splitn(3, '/');
        let (Some(org), Some(region), Some(scope)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidTarget(text.to_owned()));
        };
        if org.is_empty() || !is_region(region) || scope.is_empty() || scope.contains('/') {
            return Err(InvalidTarget(text.to_owned()));
        }
        Ok(match scope {
            ORGANIZATION => Self::organization(org, region),
            id => Self::portal(org, region, id),
        })
    }
}

impl Serialize for TargetKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not org/region/portalId or org/region/organization, with a region of two small letters")]
pub struct InvalidTarget(pub String);

const ORGANIZATION: &str = "organization";

/// Whose log a target is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One Dev Portal, by its id.
    Portal(String),
    /// The organization's own log.
    Organization,
}

/// True for what Konnect uses as a region: two small letters. `global` is not one: it never serves replays.
pub(crate) fn is_region(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// One spelling for one id: UUIDs in lower case with dashes, anything else as it is.
pub(crate) fn canonical_id(text: &str) -> String {
    Uuid::parse_str(text).map_or_else(|_| text.to_owned(), |id| id.to_string())
}

/// Version segment of the API path. The two are the same but for the organization's webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiVersion {
    /// `/v2/`
    V2,
    /// `/v3/`
    V3,
}

impl ApiVersion {
    /// The segment.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds "Audit Log Admin": every endpoint answers.
    AuditLogAdmin,
    /// A valid token without that role: every endpoint answers 403.
    Member,
}

/// The time range of a replay, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant sent.
    pub start_at: DateTime<Utc>,
    /// Last instant sent; may equal the first.
    pub end_at: DateTime<Utc>,
}

impl Window {
    /// A window from its two ends.
    pub fn new(start_at: DateTime<Utc>, end_at: DateTime<Utc>) -> Self {
        Self { start_at, end_at }
    }

    /// Whether an event of that time is sent.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.start_at <= at && at <= self.end_at
    }
}

/// State of a replay job. An open set: Konnect may add words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// No job was ever set up.
    #[default]
    Unconfigured,
    /// Accepted for scheduling.
    Accepted,
    /// Scheduled.
    Pending,
    /// In progress; a PUT answers 409.
    Running,
    /// Finished with no errors.
    Completed,
    /// Failed.
    Failed,
    /// A word this version does not know, such as `paused`; busy, and left only by hand.
    Other(String),
}

impl Status {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unconfigured => "unconfigured",
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }

    /// Whether the run is over.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "unconfigured" => Self::Unconfigured,
            "accepted" => Self::Accepted,
            "pending" => Self::Pending,
            "running" => Self::Running,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// An unset time: the zero time of Go, in the form that a field of the format `date-time` must have.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// An unset time as Konnect's documentation prints it: one digit of seconds, so not valid RFC 3339.
pub const MISPRINTED_ZERO_TIME: &str = "0001-01-01T00:00:0Z";

/// A time as Konnect writes it: RFC 3339 in UTC, with a fraction only where there is one.
pub(crate) fn wire_time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| ZERO_TIME.to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back_what_it_prints() {
        for text in ["acme/eu/6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10", "acme/us/organization"] {
            assert_eq!(text.parse::<TargetKey>().unwrap().to_string(), text);
        }
        for text in ["", "acme", "acme/eu", "acme/global/p", "acme/eu/", "/eu/p", "acme/eu/p/q"] {
            assert!(text.parse::<TargetKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_uuid_names_one_portal() {
        let plain = TargetKey::portal("acme", "eu", "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10");
        assert_eq!(TargetKey::portal("acme", "eu", "6B1E4F0C2F0F4C399F3C1F7F5D6F9F10"), plain);
    }

    #[test]
    fn an_unset_time_is_a_valid_time() {
        assert!(DateTime::parse_from_rfc3339(&wire_time(None)).is_ok());
        assert!(DateTime::parse_from_rfc3339(MISPRINTED_ZERO_TIME).is_err());
        assert_eq!(wire_time(DateTime::from_timestamp(0, 0)), "1970-01-01T00:00:00Z");
    }
}
