//! Reads the query of a request: `page[size]`, `filter[ts][gte]` and the like.

use chrono::{DateTime, Utc};
use http::Uri;

use super::fields::{Invalid, date_time, invalid};
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
        let wrong = || in_query(invalid(name, Rule::IsDateTime, "must be an RFC 3339 date-time"));
        date_time(text).map(Some).ok_or_else(wrong)
    }

    /// A number of 1 and more.
    pub(super) fn count(&self, name: &'static str) -> Result<Option<usize>, Invalid> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number: i64 = text.parse().map_err(|_| {
            let reason = format!("\"{name}\" must be a number");
            in_query(invalid(name, Rule::IsNumber, &reason))
        })?;
        let count = usize::try_from(number).ok().filter(|count| *count > 0);
        count.map(Some).ok_or_else(|| in_query(invalid(name, Rule::Min { minimum: 1 }, "must be at least 1")))
    }

    /// Whether a value passes every filter of this field: equal to the text itself, or by one of Kong's operators.
    pub(super) fn passes(&self, field: &str, found: &str) -> bool {
        let filter = |operator: &str| self.text(&format!("filter[{field}]{operator}"));
        let any = |list: &str, fits: fn(&str, &str) -> bool| list.split(',').any(|wanted| fits(found, wanted));
        filter("").is_none_or(|wanted| wanted == found)
            && filter("[eq]").is_none_or(|wanted| wanted == found)
            && filter("[neq]").is_none_or(|unwanted| unwanted != found)
            && filter("[oeq]").is_none_or(|list| any(list, |found, wanted| found == wanted))
            && filter("[contains]").is_none_or(|part| found.contains(part))
            && filter("[ocontains]").is_none_or(|list| any(list, |found, part| found.contains(part)))
    }

    /// Refuses a filter or an order that is none of these: what is ignored would answer with more than was asked for.
    pub(super) fn allow(&self, filters: &[&str]) -> Result<(), Invalid> {
        let is_meant = |key: &&str| (key.starts_with("filter[") || *key == "sort") && !filters.contains(key);
        match self.0.iter().map(|(key, _)| key.as_str()).find(is_meant) {
            None => Ok(()),
            Some(unknown) => {
                let reason = format!("\"{unknown}\" is not allowed");
                Err(in_query(invalid(unknown.to_owned(), Rule::UnknownProperty, &reason)))
            }
        }
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
