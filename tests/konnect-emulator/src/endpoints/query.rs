//! Reads the query of a request: `page[size]`, `filter[ts][gte]` and the like.

use chrono::{DateTime, Utc};
use http::Uri;

use super::fields::{Invalid, invalid};
use crate::wire::{InvalidParameter, Rule};

/// The parameters, in their order.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn read(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter that has a value: all of them may be empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let parameter = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        parameter.map(|(_, value)| value.as_str())
    }

    pub(super) fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, Invalid> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(text).map(|time| Some(time.to_utc()));
        time.map_err(|_| in_query(invalid(name, Rule::IsDateTime, "must be an RFC 3339 date-time")))
    }

    /// A number of 1 and more.
    pub(super) fn count(&self, name: &'static str) -> Result<Option<usize>, Invalid> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let count = text.parse().ok().filter(|count| *count > 0);
        count.map(Some).ok_or_else(|| in_query(invalid(name, Rule::IsInteger, "must be a whole number from 1")))
    }

    /// The same query with one parameter instead of the parameters that are left out.
    pub(super) fn with(&self, left_out: &[&str], name: &str, value: &str) -> String {
        let kept = self.0.iter().filter(|(key, _)| !left_out.contains(&key.as_str()));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        query.append_pair(name, value).finish()
    }
}

pub(super) fn in_query(invalid: Invalid) -> Invalid {
    invalid.into_iter().map(InvalidParameter::in_query).collect()
}
