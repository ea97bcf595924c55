//! How a replay job behaves where Konnect's documentation is silent, and how it may misbehave. One value per target.
//!
//! Values, their JSON and how times are written. They take effect in `job` (Q3, Q5, Q6, stuck states, lag), `world` (Q4,
//! granularity, a PUT while the webhook is off), `api` (the `Date` header), `endpoints` (answers to PUT, the pull API) and `delivery` (Q7, Q11, Q12).

mod answers;
mod delivery;

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::answers::{Granularity, PutAnswer, PutStatus, PutWhileOff, Q8, Q9, Q10, Rounding, Unauthorized, Unit};
pub use self::delivery::{ContentEncoding, DeliveryBehaviour, JsonTypes, KongInitiated, Q7, Q11, Q12};
use crate::model::{MISPRINTED_ZERO_TIME, Status, ZERO_TIME};
use crate::settings::millis;

/// What one target's replay job does where nobody knows. The default is the plainest Konnect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// What `completed` means.
    pub q3: Q3,
    /// How fresh the end of a window may be, and which events are there to be sent.
    pub q4: Q4,
    /// When `updated_at` moves.
    pub q5: Q5,
    /// What becomes of the window when a run fails.
    pub q6: Q6,
    /// Whether a replayed line has the signature of its first delivery.
    pub q7: Q7,
    /// Whether an event has the same signature in the pull API as at the webhook.
    pub q8: Q8,
    /// Whether the pull API has the events of Dev Portals.
    pub q9: Q9,
    /// Whether calls of the API are events of the organization, and under which trace id.
    pub q10: Q10,
    /// How long a delivery attempt may take, and whether its answer may ask for a pause.
    pub q11: Q11,
    /// Whether a webhook whose deliveries fail turns itself off.
    pub q12: Q12,
    /// How events reach the webhook.
    pub delivery: DeliveryBehaviour,
    /// How far behind the webhook's status is.
    #[serde(rename = "status_lag_ms", with = "millis")]
    pub status_lag: Duration,
    /// To which unit the window of an accepted PUT is rounded. It is shown and sent so.
    pub granularity: Granularity,
    /// What an accepted PUT is answered with.
    pub put_answer: PutAnswer,
    /// With which status an accepted PUT is answered.
    pub put_status: PutStatus,
    /// What becomes of a PUT while no webhook takes events.
    pub put_while_off: PutWhileOff,
    /// Who answers 401. Only that of the behaviour of all targets counts: who asks is not known.
    pub unauthorized: Unauthorized,
    /// How far behind each GET of the job is, one entry a GET, from the start again after the last. Empty: never behind.
    pub get_lag: Vec<Lag>,
    /// Runs that come into one of these states stay there until it is taken out of this list.
    pub stuck_in: Vec<Status>,
    /// What the answers show as `updated_at`.
    pub updated_at: UpdatedAt,
    /// How times are written in answers.
    pub times: TimeFormat,
    /// How much Konnect's clock is ahead: the `Date` header, `updated_at`, and the limits of a window. Timings are not
    /// affected, nor is when events happen.
    #[serde(rename = "clock_offset_ms", with = "signed_millis")]
    pub clock_offset: TimeDelta,
}

impl Behaviour {
    /// What Konnect's clock shows.
    pub(crate) fn clock(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now.checked_add_signed(self.clock_offset).unwrap_or(now)
    }

    fn patched(&self, fields: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut json = serde_json::to_value(self)?;
        if let Value::Object(all) = &mut json {
            all.extend(fields.clone());
        }
        serde_json::from_value(json)
    }
}

/// Some fields of a behaviour, in JSON. What fits one behaviour fits all: the fields do not depend on each other.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct Patch(Map<String, Value>);

impl TryFrom<Map<String, Value>> for Patch {
    type Error = serde_json::Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        Behaviour::default().patched(&fields).map(|_| Self(fields))
    }
}

impl Patch {
    pub(crate) fn apply(&self, behaviour: &mut Behaviour) {
        if let Ok(patched) = behaviour.patched(&self.0) {
            *behaviour = patched;
        }
    }
}

/// Open question 3: what `completed` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q3 {
    /// The webhook took every event; a run whose events cannot be delivered fails.
    #[default]
    Delivered,
    /// The events were handed over for delivery, whatever becomes of it: a run ends after its time in `running`.
    HandedOver,
}

/// Open question 4: how fresh `end_at` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Q4 {
    /// Events younger than this when a run begins are not stored yet, so not sent.
    #[serde(rename = "ingest_lag_ms", with = "millis")]
    pub ingest_lag: Duration,
    /// The newest end that a PUT may ask for; a newer one is a 400.
    pub newest_end: NewestEnd,
}

/// The newest `end_at` of a PUT. `start_at` must always lie in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewestEnd {
    /// Any, the future included.
    Any,
    /// Now.
    #[default]
    Now,
    /// The ingest lag ago: what is asked for must be stored.
    Ingested,
}

/// Open question 5: when `updated_at` moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q5 {
    /// At each change of status.
    #[default]
    EachChange,
    /// Only when a PUT is accepted.
    OnlyPut,
}

/// Open question 6: what a `failed` job shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q6 {
    /// The window of the run that failed.
    #[default]
    KeepsWindow,
    /// Zero times.
    ClearsWindow,
}

/// How far behind a GET is. A PUT's own answer is never behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lag {
    /// It shows the job as it was this long ago.
    #[serde(rename = "ms", with = "millis")]
    Time(Duration),
    /// It shows the job as it was this many changes of status ago; 0 is the job as it is.
    Changes(usize),
}

/// What the answers show as `updated_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatedAt {
    /// When Q5 says that it moved.
    #[default]
    Usual,
    /// Always this time.
    Constant(DateTime<Utc>),
    /// There is no such property.
    Missing,
    /// The usual time and this much more: in the future, if it is long enough.
    #[serde(rename = "ahead_ms", with = "millis")]
    Ahead(Duration),
    /// Each change shows a time before that of the last one: as long before this time as the usual one is after it.
    Backwards(DateTime<Utc>),
}

impl UpdatedAt {
    /// What is shown for the usual time, if the property is there.
    pub(crate) fn shown(self, usual: Option<DateTime<Utc>>, times: TimeFormat) -> Option<String> {
        let time = match self {
            Self::Usual => usual,
            Self::Constant(time) => Some(time),
            Self::Missing => return None,
            Self::Ahead(much) => usual.and_then(|time| time.checked_add_signed(TimeDelta::from_std(much).ok()?)),
            Self::Backwards(mirror) => usual.and_then(|time| mirror.checked_sub_signed(time - mirror)),
        };
        Some(times.write(time))
    }
}

/// How times are written. The default is UTC with `Z`, and a fraction only where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeFormat {
    /// Digits of the fraction of seconds, 0 to 9; none writes as many as needed.
    pub fraction_digits: Option<u8>,
    /// Offset from UTC, such as 120 for `+02:00`; none writes `Z`.
    pub offset_minutes: Option<i32>,
    /// How an unset time is written.
    pub unset: UnsetTime,
}

/// How an unset time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsetTime {
    /// [`ZERO_TIME`]
    #[default]
    Valid,
    /// [`MISPRINTED_ZERO_TIME`]
    Misprinted,
}

impl UnsetTime {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Valid => ZERO_TIME,
            Self::Misprinted => MISPRINTED_ZERO_TIME,
        }
    }
}

impl TimeFormat {
    /// The time as text. An unset time has no fraction and no offset, in every format.
    pub(crate) fn write(self, time: Option<DateTime<Utc>>) -> String {
        let Some(time) = time else { return self.unset.text().to_owned() };
        let minutes = self.offset_minutes.unwrap_or_default();
        let offset = FixedOffset::east_opt(minutes.saturating_mul(60)).unwrap_or(Utc.fix());
        let local = time.with_timezone(&offset);
        let zone = if self.offset_minutes.is_some() { local.format("%:z").to_string() } else { "Z".to_owned() };
        format!("{}{}{zone}", local.format("%Y-%m-%dT%H:%M:%S"), self.fraction(time))
    }

    fn fraction(self, time: DateTime<Utc>) -> String {
        let nanos = format!("{:09}", time.timestamp_subsec_nanos());
        match self.fraction_digits {
            None => {
                let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                text.split_once('.').map(|(_, rest)| format!(".{}", rest.trim_end_matches('Z'))).unwrap_or_default()
            }
            Some(0) => String::new(),
            Some(digits) => format!(".{}", nanos.get(..usize::from(digits)).unwrap_or(&nanos)),
        }
    }
}

/// A time difference as whole milliseconds in JSON, negative ones included.
mod signed_millis {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(delta: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(delta.num_milliseconds())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeDelta, D::Error> {
        let millis = i64::deserialize(deserializer)?;
        TimeDelta::try_milliseconds(millis).ok_or_else(|| D::Error::custom("out of range"))
    }
}

#[cfg(test)]
mod tests;
