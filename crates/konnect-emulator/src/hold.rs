//! Hold points: rules that stop a request before or after its effect, until it is released.
//!
//! It decides who stops and hands out a [`Ticket`] to wait on; the waiting is done in `api`.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::fault::Narrowing;
use crate::route::{PathKind, Route};

/// A point to stop at: before or after the effect of which requests, and how many of them.
///
/// Without narrowing it stops every request, until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Before or after the effect.
    pub point: HoldPoint,
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
    /// How many requests it still stops; none means all until it is released.
    #[serde(default)]
    pub times: Option<u32>,
}

/// Where in a request to stop. For a GET, the effect is that its answer is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldPoint {
    /// The request has been read, and changed nothing yet. It is applied on release, even if its client has left.
    Before,
    /// The request has been applied, and is not answered yet.
    After,
}

impl Hold {
    /// Stops every request before its effect.
    pub fn before() -> Self {
        Self::new(HoldPoint::Before)
    }

    /// Stops every request after its effect.
    pub fn after() -> Self {
        Self::new(HoldPoint::After)
    }

    /// Stops every request at this point.
    pub fn new(point: HoldPoint) -> Self {
        Self { point, method: None, path: None, region: None, portal: None, times: None }
    }

    /// Every point there is: before and after each method of each path.
    pub fn every() -> Vec<Self> {
        let requests =
            PathKind::ALL.into_iter().flat_map(|path| path.methods().iter().map(move |method| (path, *method)));
        let points = |(path, method)| [Self::before(), Self::after()].map(|hold| hold.method(method).path(path));
        requests.flat_map(points).collect()
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

    fn fits(&self, point: HoldPoint, method: &str, route: Option<&Route>) -> bool {
        let narrowing = Narrowing {
            method: self.method.as_deref(),
            path: self.path,
            region: self.region.as_deref(),
            portal: self.portal.as_deref(),
        };
        self.point == point && self.times != Some(0) && narrowing.fits(method, route)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = match self.point {
            HoldPoint::Before => "before",
            HoldPoint::After => "after",
        };
        let method = self.method.as_deref().unwrap_or("any method");
        let path = self.path.map_or("any path", PathKind::as_str);
        write!(f, "{point} {method} {path}")?;
        self.region.iter().try_for_each(|region| write!(f, " in {region}"))?;
        self.portal.iter().try_for_each(|portal| write!(f, " of {portal}"))
    }
}

/// Names a hold. Ids count from 1 over the emulator's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldId(pub u64);

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hold in the list, and who came there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRule {
    /// Its id.
    pub id: HoldId,
    /// The point, `times` counting down.
    pub hold: Hold,
    /// Numbers of the calls that were stopped, the first to come first.
    pub calls: Vec<u64>,
    /// How many of them, the last ones, are still held, their clients there or gone.
    pub held: usize,
    /// It stops nobody any more.
    pub released: bool,
}

/// How a stopped request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As if it had not been stopped.
    GoOn,
    /// Its connection is closed, and nothing more is done.
    Cut,
}

/// What a stopped request waits on.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<Verdict>);

impl Ticket {
    pub(crate) async fn verdict(self) -> Verdict {
        self.0.await.unwrap_or(Verdict::Cut)
    }
}

#[derive(Debug)]
struct Entry {
    id: HoldId,
    hold: Hold,
    calls: Vec<u64>,
    held: Vec<oneshot::Sender<Verdict>>,
    released: bool,
}

impl Entry {
    fn rule(&self) -> HoldRule {
        let (calls, released) = (self.calls.clone(), self.released);
        HoldRule { id: self.id, hold: self.hold.clone(), calls, held: self.held.len(), released }
    }

    fn end(&mut self, verdict: Verdict) {
        self.released = true;
        for held in self.held.drain(..) {
            let _ = held.send(verdict);
        }
    }
}

/// The list of holds. Released ones stay, so that what came there can be read.
#[derive(Debug, Default)]
pub(crate) struct Holds(Vec<Entry>);

impl Holds {
    pub(crate) fn add(&mut self, hold: Hold) -> HoldId {
        let id = HoldId(self.0.last().map_or(1, |entry| entry.id.0 + 1));
        self.0.push(Entry { id, hold, calls: Vec::new(), held: Vec::new(), released: false });
        id
    }

    pub(crate) fn rules(&self) -> Vec<HoldRule> {
        self.0.iter().map(Entry::rule).collect()
    }

    pub(crate) fn rule(&self, id: HoldId) -> Option<HoldRule> {
        self.0.iter().find(|entry| entry.id == id).map(Entry::rule)
    }

    /// Stops a call at the first hold that fits, if any.
    pub(crate) fn stop(&mut self, point: HoldPoint, call: u64, method: &str, route: Option<&Route>) -> Option<Ticket> {
        let entry = self.0.iter_mut().find(|entry| !entry.released && entry.hold.fits(point, method, route))?;
        let (sender, ticket) = oneshot::channel();
        entry.hold.times = entry.hold.times.map(|times| times.saturating_sub(1));
        entry.calls.push(call);
        entry.held.push(sender);
        Some(Ticket(ticket))
    }

    /// Ends a hold for those who wait and those to come. False when there is no such hold.
    pub(crate) fn end(&mut self, id: HoldId, verdict: Verdict) -> bool {
        let entry = self.0.iter_mut().find(|entry| entry.id == id);
        entry.map(|entry| entry.end(verdict)).is_some()
    }

    /// Lets the one go on that came first. False when there is no such hold.
    pub(crate) fn release_next(&mut self, id: HoldId) -> bool {
        let Some(entry) = self.0.iter_mut().find(|entry| entry.id == id) else { return false };
        if !entry.held.is_empty() {
            let _ = entry.held.remove(0).send(Verdict::GoOn);
        }
        true
    }

    pub(crate) fn end_all(&mut self, verdict: Verdict) {
        self.0.iter_mut().for_each(|entry| entry.end(verdict));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/eu/v2/portals/p1/audit-log-replay-job";

    fn stops(hold: Hold, point: HoldPoint) -> bool {
        let mut holds = Holds::default();
        holds.add(hold);
        holds.stop(point, 1, "PUT", Route::parse(PATH).as_ref()).is_some()
    }

    #[test]
    fn each_part_of_a_hold_narrows_it() {
        assert!(stops(Hold::before().method("put").path(PathKind::ReplayJob), HoldPoint::Before));
        assert!(stops(Hold::after().region("eu").portal("p1"), HoldPoint::After));
        assert!(!stops(Hold::after(), HoldPoint::Before));
        assert!(!stops(Hold::before().times(0), HoldPoint::Before));
        for hold in [Hold::before().method("GET"), Hold::before().path(PathKind::Webhook), Hold::before().region("us")]
        {
            assert!(!stops(hold, HoldPoint::Before));
        }
    }

    #[tokio::test]
    async fn a_hold_counts_releases_one_by_one_and_ends() {
        let mut holds = Holds::default();
        let id = holds.add(Hold::before().times(2));
        let mut stop = |call| holds.stop(HoldPoint::Before, call, "GET", None);
        let (first, second) = (stop(1).unwrap(), stop(2).unwrap());
        assert!(stop(3).is_none(), "it was for two");
        assert_eq!(holds.rule(id).map(|rule| (rule.calls, rule.held)), Some((vec![1, 2], 2)));
        assert!(holds.release_next(id));
        assert_eq!(first.verdict().await, Verdict::GoOn);
        assert!(holds.end(id, Verdict::Cut) && !holds.end(HoldId(9), Verdict::Cut));
        assert_eq!(second.verdict().await, Verdict::Cut);
    }

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let mut names: Vec<_> = Hold::every().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 28);
        assert!(names.contains(&"after PUT replay-job".to_owned()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 28);
        assert_eq!(Hold::before().region("eu").to_string(), "before any method any path in eu");
    }
}
