//! Reads the JSON body of a request, field by field. A field may be missing, but not null and not of another type.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::LogFormat;
use crate::wire::{InvalidParameter, Rule};

pub(super) type Invalid = Vec<InvalidParameter>;

const FORMATS: &[&str] = &["cef", "json", "cps"];

/// The object in a body.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(body: &[u8]) -> Result<Self, Invalid> {
        let object = serde_json::from_slice(body);
        object.map(Self).map_err(|_| invalid("body", Rule::Invalid, "request format is invalid"))
    }

    pub(super) fn text(&self, field: &'static str) -> Result<Option<&str>, Invalid> {
        let text = |value: &'_ Value| value.as_str().is_some();
        match self.0.get(field) {
            Some(value) if !text(value) => Err(invalid(field, Rule::IsString, "must be a string")),
            value => Ok(value.and_then(Value::as_str)),
        }
    }

    /// A text that has something in it, if it is there.
    pub(super) fn filled_text(&self, field: &'static str) -> Result<Option<&str>, Invalid> {
        match self.text(field)? {
            Some("") => Err(required(field)),
            text => Ok(text),
        }
    }

    /// A text that must be there, and has something in it.
    pub(super) fn needed_text(&self, field: &'static str) -> Result<&str, Invalid> {
        self.filled_text(field)?.ok_or_else(|| required(field))
    }

    pub(super) fn flag(&self, field: &'static str) -> Result<Option<bool>, Invalid> {
        match self.0.get(field) {
            None => Ok(None),
            Some(value) => {
                value.as_bool().map(Some).ok_or_else(|| invalid(field, Rule::IsBoolean, "must be true or false"))
            }
        }
    }

    pub(super) fn id(&self, field: &'static str) -> Result<Option<String>, Invalid> {
        let Some(value) = self.0.get(field) else { return Ok(None) };
        let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        id.map(|id| Some(id.to_string()))
            .ok_or_else(|| invalid(field, Rule::IsUuid, "destination id format is invalid"))
    }

    pub(super) fn url(&self, field: &'static str) -> Result<Option<&str>, Invalid> {
        let Some(text) = self.filled_text(field)? else { return Ok(None) };
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(|_| Some(text)).ok_or_else(|| invalid(field, Rule::Invalid, "must be a valid URL"))
    }

    pub(super) fn log_format(&self) -> Result<Option<LogFormat>, Invalid> {
        let Some(value) = self.0.get("log_format") else { return Ok(None) };
        let unknown = |_| invalid("log_format", Rule::Enum { choices: FORMATS }, "is not one of the choices");
        serde_json::from_value(value.clone()).map(Some).map_err(unknown)
    }

    pub(super) fn needed_time(&self, field: &'static str) -> Result<DateTime<Utc>, Invalid> {
        let text = self.needed_text(field)?;
        date_time(text).ok_or_else(|| invalid(field, Rule::IsDateTime, "must be an RFC 3339 date-time"))
    }
}

/// A time as `format: date-time` has it: `T` between date and time, where RFC 3339 lets an application allow a space.
pub(super) fn date_time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    matches!(text.as_bytes().get(10), Some(b'T' | b't')).then(|| time.to_utc())
}

pub(super) fn invalid(field: impl Into<Cow<'static, str>>, rule: Rule, reason: &str) -> Invalid {
    vec![InvalidParameter::new(field, rule, reason)]
}

pub(super) fn required(field: &'static str) -> Invalid {
    invalid(field, Rule::Required, "cannot be blank")
}
