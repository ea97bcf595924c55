//! Faults on demand: a list of rules, tried in order; the first that fits is used up by one.
//!
//! It decides which fault applies to a request. Carrying it out is the work of `api`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::canonical_id;
use crate::route::{PathKind, Route};
use crate::settings::millis;

/// A rule: which requests, how often, and what happens to them. Without narrowing it fits every request, forever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// HTTP method, in capitals.
    #[serde(default)]
    pub method: Option<String>,
    /// What the path names.
    #[serde(default)]
    pub path: Option<PathKind>,
    /// Region in the path.
    #[serde(default)]
    pub region: Option<String>,
    /// Portal id in the path.
    #[serde(default)]
    pub portal: Option<String>,
    /// How many requests it still applies to; none means forever.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A rule for every request, forever.
    pub fn new(action: Action) -> Self {
        Self { method: None, path: None, region: None, portal: None, times: None, action }
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only this kind of path.
    #[must_use]
    pub fn path(mut self, kind: PathKind) -> Self {
        self.path = Some(kind);
        self
    }

    /// Only this region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Only this Dev Portal.
    #[must_use]
    pub fn portal(mut self, portal_id: impl Into<String>) -> Self {
        self.portal = Some(portal_id.into());
        self
    }

    /// Only the next `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, method: &str, route: Option<&Route>) -> bool {
        let narrowing = Narrowing {
            method: self.method.as_deref(),
            path: self.path,
            region: self.region.as_deref(),
            portal: self.portal.as_deref(),
        };
        self.times != Some(0) && narrowing.fits(method, route)
    }
}

/// Which requests a rule is about; none means all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowing<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<PathKind>,
    pub(crate) region: Option<&'a str>,
    pub(crate) portal: Option<&'a str>,
}

impl Narrowing<'_> {
    pub(crate) fn fits(self, method: &str, route: Option<&Route>) -> bool {
        let fits = |wanted: Option<&str>, found: Option<&str>| wanted.is_none_or(|wanted| found == Some(wanted));
        fits(self.method, Some(method))
            && self.path.is_none_or(|kind| route.is_some_and(|route| route.kind == kind))
            && fits(self.region, route.and_then(|route| route.region.as_deref()))
            && fits(self.portal.map(canonical_id).as_deref(), route.and_then(Route::portal))
    }
}

/// What a fault does to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Answer this instead.
    Answer(Reply),
    /// Wait, then go on as usual.
    Delay {
        /// How long.
        #[serde(rename = "ms", with = "millis")]
        time: Duration,
    },
    /// Close the connection; the request is not applied.
    CutBefore,
    /// Apply the request, then close the connection without an answer.
    CutAfter,
    /// Neither apply nor answer, until the client leaves.
    Hang,
    /// Announce the end of the connection (HTTP/2: `GOAWAY`; HTTP/1.1: `connection: close`), then go on as usual.
    GoAway,
    /// Apply, then send the answer's body one byte at a time.
    SlowBody {
        /// The time before each byte.
        #[serde(rename = "ms", with = "millis")]
        each: Duration,
    },
    /// Apply, then send the answer's body with as many spaces behind it as make it this long. It stays valid JSON.
    LargeBody {
        /// Length of the whole body.
        bytes: usize,
    },
}

impl Action {
    /// Answer with this status and the body Konnect would send with it; the request is not applied.
    pub fn status(status: u16) -> Self {
        Self::Answer(Reply { status, ..Reply::default() })
    }

    /// Answer 429 with this `Retry-After`, in whichever form; none sends no such header.
    pub fn rate_limit(retry_after: Option<&str>) -> Self {
        let headers = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned()));
        Self::Answer(Reply { status: 429, headers: headers.into_iter().collect(), ..Reply::default() })
    }
}

/// An answer given in place of Konnect's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Body; none sends what Konnect would send with that status.
    pub body: Option<String>,
    /// Content type of `body`; `application/json` when not given.
    pub content_type: Option<String>,
    /// More headers, by name and value.
    pub headers: Vec<(String, String)>,
    /// Apply the request all the same, as a proxy does that loses the answer.
    pub applied: bool,
}

/// A rule in the list, with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// Counts from 1 over the emulator's life.
    pub number: u64,
    /// The rule, `times` counting down.
    pub fault: Fault,
    /// Requests it has applied to.
    pub hits: u64,
}

/// The list of rules.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<FaultRule>,
    last: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.last += 1;
        self.rules.push(FaultRule { number: self.last, fault, hits: 0 });
        self.last
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// The first rule that fits, used up by one.
    pub(crate) fn take(&mut self, method: &str, route: Option<&Route>) -> Option<(u64, Action)> {
        let rule = self.rules.iter_mut().find(|rule| rule.fault.fits(method, route))?;
        rule.hits += 1;
        rule.fault.times = rule.fault.times.map(|times| times.saturating_sub(1));
        Some((rule.number, rule.fault.action.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/eu/v2/portals/p1/audit-log-replay-job";

    fn hit(faults: &mut Faults, method: &str, path: &str) -> Option<u64> {
        faults.take(method, Route::parse(path).as_ref()).map(|(number, _)| number)
    }

    #[test]
    fn the_first_rule_that_fits_is_used_up() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Action::Hang).times(2));
        faults.add(Fault::new(Action::CutAfter));
        let hits: Vec<_> = (0..4).map(|_| hit(&mut faults, "GET", PATH)).collect();
        assert_eq!(hits, [Some(1), Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn each_part_of_a_rule_narrows_it() {
        let cases = [
            (Fault::new(Action::Hang), true),
            (Fault::new(Action::Hang).method("put"), true),
            (Fault::new(Action::Hang).method("GET"), false),
            (Fault::new(Action::Hang).path(PathKind::ReplayJob), true),
            (Fault::new(Action::Hang).path(PathKind::Webhook), false),
            (Fault::new(Action::Hang).region("eu"), true),
            (Fault::new(Action::Hang).region("us"), false),
            (Fault::new(Action::Hang).portal("p1"), true),
            (Fault::new(Action::Hang).portal("p2"), false),
            (Fault::new(Action::Hang).times(0), false),
        ];
        for (fault, expected) in cases {
            let mut faults = Faults::default();
            faults.add(fault.clone());
            assert_eq!(hit(&mut faults, "PUT", PATH).is_some(), expected, "{fault:?}");
        }
    }

    #[test]
    fn a_rule_has_a_short_json_form() {
        let json = r#"{"method": "PUT", "path": "replay-job", "times": 1,
            "action": {"type": "answer", "status": 429, "headers": [["retry-after", "77"]]}}"#;
        let expected = Fault::new(Action::rate_limit(Some("77"))).method("PUT").path(PathKind::ReplayJob).times(1);
        assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), expected);
        assert!(serde_json::from_str::<Fault>(r#"{"acton": {"type": "hang"}}"#).is_err());
    }
}
