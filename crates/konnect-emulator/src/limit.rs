//! Rate limits: how many requests a token, an organization or an address may make within a time.
//!
//! Pure: it counts, and says which request is one too many. The answer is made in `wire`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::settings::millis;

/// One limit. Which ones Konnect has is not documented; 3000 a minute has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Who shares it.
    pub per: Per,
    /// Requests that are answered within the time.
    pub requests: u32,
    /// The time, from the first request on.
    #[serde(rename = "window_ms", with = "millis")]
    pub window: Duration,
    /// Whether the 429 has `Retry-After`, in seconds. One of Konnect's limiters sends none.
    #[serde(default = "yes")]
    pub retry_after: bool,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// All requests with one token; those without a known token are not counted.
    Token,
    /// All requests of one organization.
    Organization,
    /// All requests from one IP address, with any token.
    Address,
}

fn yes() -> bool {
    true
}

/// Who makes a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) org: Option<&'a str>,
    pub(crate) address: IpAddr,
}

impl Asker<'_> {
    fn key(&self, per: Per) -> Option<String> {
        match per {
            Per::Token => self.token.map(str::to_owned),
            Per::Organization => self.org.map(str::to_owned),
            Per::Address => Some(self.address.to_string()),
        }
    }
}

/// A request that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) limit: RateLimit,
    /// Whole seconds until the next request is answered, at least 1.
    pub(crate) reset: u64,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: DateTime<Utc>,
    requests: u32,
}

/// The limits, with what has been counted.
#[derive(Debug, Default)]
pub(crate) struct Limits(Vec<(RateLimit, BTreeMap<String, Count>)>);

impl Limits {
    pub(crate) fn new(limits: &[RateLimit]) -> Self {
        Self(limits.iter().map(|limit| (*limit, BTreeMap::new())).collect())
    }

    pub(crate) fn all(&self) -> Vec<RateLimit> {
        self.0.iter().map(|(limit, _)| *limit).collect()
    }

    /// Counts a request under every limit. Answers the first that it breaks.
    pub(crate) fn take(&mut self, asker: Asker<'_>, now: DateTime<Utc>) -> Option<TooMany> {
        let mut broken = None;
        for (limit, counts) in &mut self.0 {
            let Some(key) = asker.key(limit.per) else { continue };
            let count = counts.entry(key).or_insert(Count { since: now, requests: 0 });
            let ends = |count: &Count| count.since + TimeDelta::from_std(limit.window).unwrap_or(TimeDelta::MAX);
            if ends(count) <= now {
                *count = Count { since: now, requests: 0 };
            }
            count.requests = count.requests.saturating_add(1);
            if count.requests > limit.requests {
                broken = broken.or(Some(TooMany { limit: *limit, reset: whole_seconds(ends(count) - now) }));
            }
        }
        broken
    }
}

fn whole_seconds(time: TimeDelta) -> u64 {
    u64::try_from(time.num_milliseconds()).unwrap_or_default().div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per: Per) -> Limits {
        Limits::new(&[RateLimit { per, requests: 2, window: Duration::from_secs(10), retry_after: true }])
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + milliseconds).unwrap()
    }

    fn asker<'a>(token: &'a str, org: &'a str, last: u8) -> Asker<'a> {
        Asker { token: Some(token), org: Some(org), address: IpAddr::from([192, 0, 2, last]) }
    }

    #[test]
    fn who_shares_a_limit_is_counted_together_and_nobody_else() {
        for (per, shares) in [
            (Per::Token, [true, false, false]),
            (Per::Organization, [true, true, false]),
            (Per::Address, [true, true, true]),
        ] {
            let others = [asker("t1", "acme", 1), asker("t2", "acme", 1), asker("t3", "other", 1)];
            for (other, shares) in others.into_iter().zip(shares) {
                let mut limits = limits(per);
                for _ in 0..2 {
                    assert_eq!(limits.take(asker("t1", "acme", 1), at(0)), None);
                }
                assert_eq!(limits.take(other, at(0)).is_some(), shares, "{per:?} {other:?}");
            }
        }
        let mut limits = limits(Per::Token);
        let nobody = Asker { token: None, org: None, address: IpAddr::from([192, 0, 2, 1]) };
        assert!((0..9).all(|_| limits.take(nobody, at(0)).is_none()));
    }

    #[test]
    fn a_limit_begins_anew_after_its_time() {
        let mut limits = limits(Per::Address);
        let mut take = |time| limits.take(asker("t", "acme", 1), at(time)).map(|broken| broken.reset);
        assert_eq!([take(0), take(0), take(1500), take(9999)], [None, None, Some(9), Some(1)]);
        assert_eq!([take(10_000), take(10_000), take(10_000)], [None, None, Some(10)]);
    }
}
