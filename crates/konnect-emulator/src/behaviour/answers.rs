//! What answers say where Konnect's documents are silent, or contradict each other.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Window;

/// Open question 8: the signature of an event in the pull API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q8 {
    /// The `sig` of its JSON line at the webhook.
    #[default]
    Same,
    /// One of its own.
    Other,
}

/// Open question 9: whose events the pull API has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q9 {
    /// Those of the organization's own log.
    #[default]
    OrganizationOnly,
    /// Those of its Dev Portals in the region too.
    WithPortals,
}

/// Open question 10: what a call of the API leaves in the organization's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Q10 {
    /// Nothing, so that a test has the events that it made and no others. Konnect does leave events.
    #[default]
    Nothing,
    /// An authentication and an authorization, under a trace id that no answer shows.
    OwnTrace,
    /// The same, under the trace id that `instance` shows if the call is refused.
    AnswersTrace,
}

/// Who refuses a token that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unauthorized {
    /// The service: `application/problem+json`, as all specifications have it.
    #[default]
    Problem,
    /// The gateway in front: `application/json` with a `message`.
    Gateway,
}

/// What an accepted PUT of a replay job is answered with, besides its status. No property of a job is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutAnswer {
    /// The job that the PUT made.
    #[default]
    Job,
    /// `{}`
    Empty,
    /// No body at all.
    Nothing,
    /// The job that was there before.
    Old,
}

/// The status of an accepted PUT of a replay job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutStatus {
    /// 202, as all specifications have it.
    #[default]
    Accepted,
    /// 201, as the page prints it.
    Created,
}

impl PutStatus {
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Accepted => 202,
            Self::Created => 201,
        }
    }
}

/// What becomes of a PUT of a replay job while no webhook takes events: none is configured, it is not enabled, or it has turned
/// itself off. Konnect's page calls a webhook that is ready a precondition, and does not say what follows without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutWhileOff {
    /// It is accepted. The run fails, unless a webhook takes events when it begins.
    #[default]
    Accepted,
    /// 400
    Invalid,
    /// 409
    Conflict,
}

/// To which unit Konnect rounds the two ends of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Granularity {
    /// The unit; `none` leaves a window as it was asked for, to the nanosecond.
    pub unit: Unit,
    /// Where the start goes.
    pub start: Rounding,
    /// Where the end goes.
    pub end: Rounding,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// No rounding.
    #[default]
    None,
    /// Whole seconds.
    Second,
    /// Whole minutes.
    Minute,
    /// Whole hours.
    Hour,
}

/// Which way a time is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the earlier unit.
    #[default]
    Floor,
    /// To the later unit, unless it is one already.
    Ceiling,
}

impl Granularity {
    /// The window that Konnect makes of the one asked for.
    pub(crate) fn round(self, window: Window) -> Window {
        let Some(unit) = self.unit.length() else { return window };
        Window::new(self.start.round(window.start_at, unit), self.end.round(window.end_at, unit))
    }
}

impl Unit {
    fn length(self) -> Option<TimeDelta> {
        match self {
            Self::None => None,
            Self::Second => Some(TimeDelta::seconds(1)),
            Self::Minute => Some(TimeDelta::minutes(1)),
            Self::Hour => Some(TimeDelta::hours(1)),
        }
    }
}

impl Rounding {
    fn round(self, time: DateTime<Utc>, unit: TimeDelta) -> DateTime<Utc> {
        let beyond = TimeDelta::seconds(time.timestamp().rem_euclid(unit.num_seconds()))
            + TimeDelta::nanoseconds(i64::from(time.timestamp_subsec_nanos()));
        let floor = time - beyond;
        match self {
            Self::Floor => floor,
            Self::Ceiling if beyond.is_zero() => floor,
            Self::Ceiling => floor + unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_rounded_to_its_unit() {
        let asked = Window::new(time("2026-11-20T08:59:30.5Z"), time("2026-11-20T11:30:00Z"));
        for (unit, start, end) in [
            (Unit::None, "2026-11-20T08:59:30.5Z", "2026-11-20T11:30:00Z"),
            (Unit::Second, "2026-11-20T08:59:30Z", "2026-11-20T11:30:00Z"),
            (Unit::Minute, "2026-11-20T08:59:00Z", "2026-11-20T11:30:00Z"),
            (Unit::Hour, "2026-11-20T08:00:00Z", "2026-11-20T11:00:00Z"),
        ] {
            let floor = Granularity { unit, ..Granularity::default() };
            assert_eq!(floor.round(asked), Window::new(time(start), time(end)), "{unit:?}");
        }
        let outward = Granularity { unit: Unit::Hour, start: Rounding::Floor, end: Rounding::Ceiling };
        assert_eq!(outward.round(asked), Window::new(time("2026-11-20T08:00:00Z"), time("2026-11-20T12:00:00Z")));
        let ceiling = Granularity { unit: Unit::Minute, start: Rounding::Ceiling, end: Rounding::Ceiling };
        assert_eq!(ceiling.round(asked), Window::new(time("2026-11-20T09:00:00Z"), time("2026-11-20T11:30:00Z")));
    }
}
