//! Decides which job starts next: the one model of waiting. A job starts, which means that it looks at Konnect and may send, when three things hold:
//!
//! 1. **Nothing it needs is reserved.** Its lane and its target are reserved only by a submission that may be under way, or for the
//!    length of one pass. What is only waiting reserves nothing.
//! 2. **No key of its own says "not before"** ([`Key`], the table in `backoff`). What one token saw at one target under one version
//!    concerns exactly that; a missing Secret concerns all jobs that name it; a region that is down concerns all jobs in it (the
//!    circuit breaker in `breaker`).
//! 3. **It is the first of those in its lane for which 1 and 2 hold**, by expiry, creation and id ([`keys::Place`]).
//!
//! Jobs that wait for the same things share a [`Route`], and rules 1 and 2 are asked once for each route of a lane: choosing costs
//! O(routes of the lane), however many jobs wait.
//!
//! There is one wake-up rule: whenever something changes that a lane depends on, the lane is examined ([`Scheduler::examine`]). If a
//! job of it may start, that job is woken; if none may, the lane is examined again when the first may, by the clock, and the next in
//! line is woken once, to say what it is behind.
//!
//! All of it is an index in memory, rebuilt at a start from the objects' status; the objects are the truth.

mod backoff;
mod breaker;
pub(super) mod calls;
mod choice;
mod keys;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use choice::Turn;
pub use keys::{Access, Account, Candidate, Key, LaneKey, ObjectId, Route, SecretRef, TargetKey};
pub(super) use reports::Answer;

use crate::replay::facts::policy::Policy;
use backoff::Backoff;
use keys::Place;

/// How long a job that was woken has for asking before its lane is examined again: a pass can be lost.
const LOST_WAKE_UP: Duration = Duration::from_mins(1);

/// Objects to requeue, because their turn may have come or because what their status says is over.
#[must_use = "a job that is not woken may wait for a minute"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Woken(BTreeSet<ObjectId>);

impl Woken {
    /// Adds all of `more`.
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }
}

impl FromIterator<ObjectId> for Woken {
    fn from_iter<I: IntoIterator<Item = ObjectId>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

impl IntoIterator for Woken {
    type Item = ObjectId;
    type IntoIter = std::collections::btree_set::IntoIter<ObjectId>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a job is doing, as far as the scheduler cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It stands in the queue of its lane.
    Waiting,
    /// It has reserved its lane and its target: it is in a pass that may send, or a submission of its may be under way. With an end,
    /// the object is gone and its request may still take effect.
    Reserving { until: Option<Duration> },
    /// Neither: it waits for something of its own (its window, its next try), or nothing was heard of its run for long.
    Idle,
}

#[derive(Clone, Debug, PartialEq)]
struct Job {
    route: Arc<Route>,
    place: Place,
    state: State,
}

/// The jobs of one route.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    keys: Vec<Key>,
    members: usize,
    waiting: BTreeSet<Place>,
    /// When a job of it last looked at something that had failed.
    probed: Option<Duration>,
}

/// A job that was woken, and when.
#[derive(Clone, Debug, PartialEq)]
struct WokenJob {
    id: ObjectId,
    /// Whether it may start; else it was woken to say what it is behind.
    may_start: bool,
    at: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Lane {
    groups: BTreeMap<Arc<Route>, Group>,
    /// The jobs that have reserved the lane. More than one may have: submissions found at a start are taken as found.
    reserved_by: BTreeSet<ObjectId>,
    /// When a job of it last looked at something that had failed; one look per poll interval.
    probed: Option<Duration>,
    /// The job that does so now.
    prober: Option<ObjectId>,
    /// Whether the last PUT of the lane failed. Until one is accepted, targets whose PUT has not failed go first.
    put_failed: bool,
    /// The job that was last woken.
    woken: Option<WokenJob>,
    /// When it is examined next, if nothing changes before.
    timer: Option<Duration>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Target {
    reserved_by: BTreeSet<ObjectId>,
    /// The routes that lead to it.
    routes: BTreeSet<Arc<Route>>,
}

/// All jobs that are not over, and what they wait for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduler {
    poll_interval: Duration,
    retry_interval: Duration,
    jobs: BTreeMap<ObjectId, Job>,
    lanes: HashMap<LaneKey, Lane>,
    targets: HashMap<TargetKey, Target>,
    /// Which routes have a key. The last one takes the key's entry with it.
    users: HashMap<Key, BTreeSet<Arc<Route>>>,
    backoff: Backoff,
    /// The timers of the lanes, in the order in which they go off.
    timers: BTreeSet<(Duration, LaneKey)>,
    rest_until: Duration,
}

/// Setting up, and asking.
impl Scheduler {
    /// One without jobs.
    pub fn new(policy: &Policy) -> Self {
        Self {
            poll_interval: policy.poll_interval,
            retry_interval: policy.retry_interval,
            jobs: BTreeMap::new(),
            lanes: HashMap::new(),
            targets: HashMap::new(),
            users: HashMap::new(),
            backoff: Backoff::default(),
            timers: BTreeSet::new(),
            rest_until: Duration::ZERO,
        }
    }

    /// Lets no job start before `mono`, by the clock of this process: after a leader that did not end in order, a request of an
    /// object that is gone meanwhile may still be on its way.
    pub fn rest_until(&mut self, mono: Duration) {
        self.rest_until = mono;
    }

    /// Whether no job starts at `mono` because of that.
    pub fn is_resting(&self, mono: Duration) -> bool {
        self.rest_until > mono
    }

    /// Every job it knows.
    pub fn everybody(&self) -> impl Iterator<Item = &ObjectId> {
        self.jobs.keys()
    }

    /// Every job it knows under a name, with any UID: for an object that is gone.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<ObjectId> {
        let first = ObjectId { namespace: namespace.to_owned(), name: name.to_owned(), uid: String::new() };
        let of_that_name = |id: &&ObjectId| id.namespace == namespace && id.name == name;
        self.jobs.range(&first..).map(|(id, _)| id).take_while(of_that_name).cloned().collect()
    }

    /// Whether `who` has reserved its lane and its target.
    pub fn reserves(&self, who: &ObjectId) -> bool {
        self.jobs.get(who).is_some_and(|job| matches!(job.state, State::Reserving { .. }))
    }

    /// Whether an object that is gone still reserves.
    pub fn has_leftovers(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.state, State::Reserving { until: Some(_) }))
    }
}

/// Taking note of what a job is doing.
impl Scheduler {
    /// `who` waits for its turn, and reserves nothing.
    pub fn wait(&mut self, who: &Candidate, now: Duration) -> Woken {
        self.set(who, State::Waiting, now)
    }

    /// `who` reserves its lane and its target, also if another job has reserved them: a submission of its may be under way.
    pub fn reserve(&mut self, who: &Candidate, now: Duration) -> Woken {
        self.set(who, State::Reserving { until: None }, now)
    }

    /// `who` neither waits for its turn nor reserves anything, and is not over.
    pub fn idle(&mut self, who: &Candidate, now: Duration) -> Woken {
        self.set(who, State::Idle, now)
    }

    /// `who` is over, or gone for good.
    pub fn gone(&mut self, who: &ObjectId, now: Duration) -> Woken {
        let Some(job) = self.jobs.remove(who) else { return Woken::default() };
        self.speaks_no_more(who, &job.route);
        let touched = self.leave(who, &job, now);
        self.unindex(&job.route);
        self.examine_all(touched, None, now)
    }

    /// The object of `who` is gone, and its request may still take effect until `until`: another one would see a free target, and
    /// send over it.
    pub fn vanished(&mut self, who: &ObjectId, until: Duration, now: Duration) -> Woken {
        let Some(job) = self.jobs.get_mut(who).filter(|job| job.state == State::Reserving { until: None }) else {
            return if self.reserves(who) { Woken::default() } else { self.gone(who, now) };
        };
        job.state = State::Reserving { until: Some(until) };
        let lane = job.route.lane.clone();
        self.examine_all(BTreeSet::from([lane]), None, now)
    }

    fn set(&mut self, who: &Candidate, state: State, now: Duration) -> Woken {
        let before = self.jobs.get(&who.id).cloned();
        let place = who.place();
        if before.as_ref().is_some_and(|job| job.state == state && job.place == place && *job.route == who.route) {
            return Woken::default();
        }
        // The new route first: else the last job of a key would lose the key's entry by a mere update.
        let route = self.index(&who.route);
        let mut touched = before.as_ref().map(|job| self.leave(&who.id, job, now)).unwrap_or_default();
        if let Some(job) = before {
            if *job.route != who.route {
                self.speaks_no_more(&who.id, &job.route);
            }
            self.unindex(&job.route);
        }
        touched.insert(route.lane.clone());
        if matches!(state, State::Reserving { .. }) {
            // Where this target came first in another lane, the next of that lane may start instead.
            touched.extend(self.lanes_of_target(&route.access.target));
        }
        self.enter(&who.id, Job { route, place, state });
        self.examine_all(touched, Some(&who.id), now)
    }

    /// What `who` found on this route is no longer its business.
    fn speaks_no_more(&mut self, who: &ObjectId, route: &Route) {
        for key in self.keys(route) {
            self.backoff.gone(&key, who);
        }
    }

    fn enter(&mut self, who: &ObjectId, job: Job) {
        match job.state {
            State::Waiting => {
                if let Some(group) = self.group_mut(&job.route) {
                    group.waiting.insert(job.place.clone());
                }
            }
            State::Reserving { .. } => {
                self.lanes.entry(job.route.lane.clone()).or_default().reserved_by.insert(who.clone());
                self.targets.entry(job.route.access.target.clone()).or_default().reserved_by.insert(who.clone());
            }
            State::Idle => {}
        }
        self.jobs.insert(who.clone(), job);
    }

    /// Gives up what a job has. Answers the lanes that this concerns.
    fn leave(&mut self, who: &ObjectId, job: &Job, now: Duration) -> BTreeSet<LaneKey> {
        let mut touched = BTreeSet::from([job.route.lane.clone()]);
        if let Some(group) = self.group_mut(&job.route) {
            group.waiting.remove(&job.place);
        }
        if let Some(lane) = self.lanes.get_mut(&job.route.lane) {
            lane.reserved_by.remove(who);
            if lane.prober.as_ref() == Some(who) {
                (lane.probed, lane.prober) = (Some(now), None);
            }
        }
        let was_reserved = self.targets.get_mut(&job.route.access.target).is_some_and(|t| t.reserved_by.remove(who));
        if was_reserved {
            touched.extend(self.lanes_of_target(&job.route.access.target));
        }
        touched
    }

    fn lanes_of_target(&self, target: &TargetKey) -> BTreeSet<LaneKey> {
        let routes = self.targets.get(target).into_iter().flat_map(|target| &target.routes);
        routes.map(|route| route.lane.clone()).collect()
    }

    fn index(&mut self, route: &Route) -> Arc<Route> {
        let lane = self.lanes.entry(route.lane.clone()).or_default();
        if let Some((known, group)) =
            lane.groups.get_key_value(route).map(|(known, _)| Arc::clone(known)).zip(lane.groups.get_mut(route))
        {
            group.members += 1;
            return known;
        }
        let route = Arc::new(route.clone());
        let keys = route.keys();
        for key in &keys {
            self.users.entry(key.clone()).or_default().insert(Arc::clone(&route));
        }
        self.targets.entry(route.access.target.clone()).or_default().routes.insert(Arc::clone(&route));
        lane.groups.insert(Arc::clone(&route), Group { keys, members: 1, waiting: BTreeSet::new(), probed: None });
        route
    }

    /// One job less of this route. What no job uses any more is forgotten.
    fn unindex(&mut self, route: &Arc<Route>) {
        let Some(group) = self.group_mut(route) else { return };
        group.members -= 1;
        if group.members > 0 {
            return;
        }
        for key in self.keys(route) {
            if let Some(routes) = self.users.get_mut(&key) {
                routes.remove(route);
                if routes.is_empty() {
                    self.users.remove(&key);
                    self.backoff.forget(&key);
                }
            }
        }
        if let Some(target) = self.targets.get_mut(&route.access.target) {
            target.routes.remove(route);
            if target.routes.is_empty() {
                self.targets.remove(&route.access.target);
            }
        }
        if let Some(lane) = self.lanes.get_mut(&route.lane) {
            lane.groups.remove(route);
            if lane.groups.is_empty()
                && let Some(at) = self.lanes.remove(&route.lane).and_then(|lane| lane.timer)
            {
                self.timers.remove(&(at, route.lane.clone()));
            }
        }
    }

    fn group_mut(&mut self, route: &Route) -> Option<&mut Group> {
        self.lanes.get_mut(&route.lane)?.groups.get_mut(route)
    }

    fn keys(&self, route: &Route) -> Vec<Key> {
        let group = self.lanes.get(&route.lane).and_then(|lane| lane.groups.get(route));
        group.map(|group| group.keys.clone()).unwrap_or_default()
    }
}
