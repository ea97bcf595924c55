//! The choice: which job of a lane may start, and what the others wait for.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use super::keys::{Candidate, Key, LaneKey, ObjectId, Place, Route};
use super::{Group, Job, LOST_WAKE_UP, Lane, Scheduler, State, Woken, WokenJob};
use crate::api::BLOCKED_BY_OTHER;
use crate::replay::step::WaitCause;

/// The answer to the question whether a job may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Lane and target are reserved for this job, to the end of its pass.
    Ours,
    /// Another job has reserved its lane or its target, or goes first; this one is the next of its lane.
    Behind {
        /// Its name if it is of the same namespace, else `other`.
        blocked_by: String,
    },
    /// Others of the lane go first, and this one is not even the next.
    Later,
    /// A key of this job says "not before", or another job tries first whether that is over.
    HeldBack {
        /// The job whose status says more: its name if it is of the same namespace, else `other`; `None` if it is this one.
        blocked_by: Option<String>,
        /// What was found.
        cause: WaitCause,
    },
    /// No job starts yet: the leader before did not end in order.
    NotYet {
        /// How long.
        wait: Duration,
    },
}

/// Whether the keys of a job let it start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Nothing is known against it.
    Clear,
    /// The last PUT at its target failed, and may be tried again.
    PutAgain { since: Duration },
    /// What a GET found may be over: one job looks.
    Probe,
    /// Not before then.
    Shut { until: Duration },
}

/// Which job of a lane may start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Next {
    /// This one, now.
    job: Option<ObjectId>,
    /// When the answer may be another one although nothing has changed.
    later: Option<Duration>,
}

/// The best of a lane so far.
#[derive(Default)]
struct Best<'a> {
    /// The first that may start.
    first: Option<&'a Place>,
    /// The one whose target was looked at longest ago, of those where something has failed.
    probe: Option<(Option<Duration>, &'a Place)>,
    /// The one whose PUT failed and is the longest overdue.
    put_again: Option<(Duration, &'a Place)>,
    /// When the first of the jobs that may not start yet may.
    later: Option<Duration>,
}

impl<'a> Best<'a> {
    fn start(&mut self, place: &'a Place) {
        self.first = Some(self.first.map_or(place, |first| first.min(place)));
    }

    fn later(&mut self, at: Duration) {
        self.later = Some(self.later.map_or(at, |later| later.min(at)));
    }
}

fn longest_ago<'a, T: Ord + Copy>(best: &mut Option<(T, &'a Place)>, since: T, place: &'a Place) {
    *best = Some(best.map_or((since, place), |best| best.min((since, place))));
}

/// Asking for a turn.
impl Scheduler {
    /// Reserves lane and target for `who` if it may start now; else `who` waits in the queue. `insists`: a user asked for a try now,
    /// so that only reservations count.
    pub fn take(&mut self, who: &Candidate, insists: bool, now: Duration) -> (Turn, Woken) {
        let rest = self.rest_until.saturating_sub(now);
        if !rest.is_zero() {
            let woken = if self.reserves(&who.id) { Woken::default() } else { self.wait(who, now) };
            return (Turn::NotYet { wait: rest }, woken);
        }
        let already = self.jobs.get(&who.id).is_some_and(|job| *job.route == who.route && self.reserves(&who.id));
        if already {
            // For as long as the pass lasts, also if its object was taken for gone.
            return (Turn::Ours, self.reserve(who, now));
        }
        let woken = self.wait(who, now);
        let may_start = if insists {
            self.is_free(&who.route)
        } else {
            self.next(&who.route.lane, now).job.as_ref() == Some(&who.id)
        };
        if !may_start {
            return (self.explain(who, now), woken);
        }
        self.note_probe(who, now);
        let woken = woken.and(self.reserve(who, now));
        (Turn::Ours, woken)
    }

    /// If `who` starts to look whether a failure is over, others do not, and the other targets of the lane are next.
    fn note_probe(&mut self, who: &Candidate, now: Duration) {
        let group = self.group(&who.route);
        if group.is_none_or(|group| self.gate(&who.route, group, now) != Gate::Probe) {
            return;
        }
        self.backoff.probing(&Key::Region(who.route.base_url().to_owned()), &who.id, now + self.poll_interval);
        if let Some(lane) = self.lanes.get_mut(&who.route.lane) {
            lane.prober = Some(who.id.clone());
            // Two jobs of one target do not probe in turn because only one of them has found its version of the API: both ask v2 first.
            let asked = who.route.access.asked();
            for (_, group) in lane.groups.iter_mut().filter(|(route, _)| route.access.asked() == asked) {
                group.probed = Some(now);
            }
        }
    }

    /// What `who` waits for.
    fn explain(&mut self, who: &Candidate, now: Duration) -> Turn {
        if let Some(key) = self.obstacle(&who.route, now) {
            let found = self.backoff.found(&key).map(|(cause, reporter)| (cause, reporter.clone()));
            if let Some((cause, reporter)) = found {
                self.backoff.told(&key, &who.id);
                let blocked_by = (reporter != who.id).then(|| name_for(&who.id, &reporter));
                return Turn::HeldBack { blocked_by, cause };
            }
        }
        let is_next = self.next_in_line(&who.route.lane, now).is_none_or(|next| next == who.id);
        match self.blocker(who, now) {
            Some(blocker) if is_next => Turn::Behind { blocked_by: name_for(&who.id, &blocker) },
            Some(_) | None => Turn::Later,
        }
    }

    /// The entry of the backoff table that holds jobs of this route up for longest.
    fn obstacle(&self, route: &Route, now: Duration) -> Option<Key> {
        let group = self.group(route)?;
        let present = group.keys.iter().filter_map(|key| Some((key, self.not_before(key, route)?)));
        // The key that most jobs share comes first, and is reported rather than that of one target.
        let longest = present.max_by(|(_, a), (_, b)| match (*a > now, *b > now) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (true, true) | (false, false) => a.cmp(b),
        });
        longest.map(|(key, _)| key.clone())
    }

    fn not_before(&self, key: &Key, route: &Route) -> Option<Duration> {
        self.backoff.not_before(key, route.account(), self.poll_interval)
    }

    /// The job that `who` waits for: it has reserved the lane or the target of `who`, or goes first in the lane.
    pub fn blocker(&self, who: &Candidate, now: Duration) -> Option<ObjectId> {
        let lane = self.lanes.get(&who.route.lane).and_then(|lane| lane.reserved_by.iter().find(|id| **id != who.id));
        let target = || self.targets.get(&who.route.access.target)?.reserved_by.iter().find(|id| **id != who.id);
        let first = || self.next(&who.route.lane, now).job.filter(|id| *id != who.id);
        lane.or_else(target).cloned().or_else(first)
    }

    /// The jobs that wait in a lane, in the order of their places.
    pub fn waiting(&self, lane: &LaneKey) -> Vec<&ObjectId> {
        let groups = self.lanes.get(lane).into_iter().flat_map(|lane| lane.groups.values());
        let mut places: Vec<&Place> = groups.flat_map(|group| &group.waiting).collect();
        places.sort();
        places.into_iter().map(|place| &place.id).collect()
    }
}

/// Choosing.
impl Scheduler {
    /// The job of a lane that may start now.
    fn next(&self, key: &LaneKey, now: Duration) -> Next {
        let Some(lane) = self.lanes.get(key) else { return Next::default() };
        if !lane.reserved_by.is_empty() {
            return Next { job: None, later: self.first_end(lane) };
        }
        self.choose(lane, now, |route| self.is_target_free(route))
    }

    /// The job of a lane that may start now, for the tests.
    #[cfg(test)]
    pub(super) fn startable(&self, lane: &LaneKey, now: Duration) -> Option<ObjectId> {
        self.next(lane, now).job
    }

    /// The job of a lane that starts next, if nothing were reserved.
    fn next_in_line(&self, key: &LaneKey, now: Duration) -> Option<ObjectId> {
        self.choose(self.lanes.get(key)?, now, |_| true).job
    }

    fn choose(&self, lane: &Lane, now: Duration, is_free: impl Fn(&Route) -> bool) -> Next {
        let mut best = Best::default();
        for (route, group) in &lane.groups {
            let Some(place) = group.waiting.first().filter(|_| is_free(route)) else { continue };
            match self.gate(route, group, now) {
                Gate::Clear => best.start(place),
                Gate::PutAgain { .. } if !lane.put_failed => best.start(place),
                Gate::PutAgain { since } => longest_ago(&mut best.put_again, since, place),
                Gate::Probe => longest_ago(&mut best.probe, group.probed, place),
                Gate::Shut { until } => best.later(until),
            }
        }
        if let Some((_, place)) = best.probe {
            match lane.probed.map(|probed| probed + self.poll_interval).filter(|again| *again > now) {
                Some(again) => best.later(again),
                None => best.start(place),
            }
        }
        let chosen = best.first.or(best.put_again.map(|(_, place)| place));
        Next { job: chosen.map(|place| place.id.clone()), later: best.later }
    }

    fn gate(&self, route: &Route, group: &Group, now: Duration) -> Gate {
        if self.backoff.is_empty() {
            return Gate::Clear;
        }
        let (mut shut, mut probe, mut put) = (None, None, None);
        for key in &group.keys {
            let Some(at) = self.not_before(key, route) else { continue };
            let found = match key {
                _ if at > now => &mut shut,
                // Which target the run is at is not known: any may be tried, those first whose own PUT did not fail.
                Key::Busy(_) => continue,
                Key::Put(_) => &mut put,
                Key::Secret(_) | Key::Token(_) | Key::Target(_) | Key::Webhook(_) | Key::Region(_) => &mut probe,
            };
            *found = Some(found.map_or(at, |other: Duration| other.max(at)));
        }
        match (shut, probe, put) {
            (Some(until), ..) => Gate::Shut { until },
            (None, Some(_), _) => Gate::Probe,
            (None, None, Some(since)) => Gate::PutAgain { since },
            (None, None, None) => Gate::Clear,
        }
    }

    fn group(&self, route: &Route) -> Option<&Group> {
        self.lanes.get(&route.lane)?.groups.get(route)
    }

    fn is_free(&self, route: &Route) -> bool {
        self.lanes.get(&route.lane).is_none_or(|lane| lane.reserved_by.is_empty()) && self.is_target_free(route)
    }

    fn is_target_free(&self, route: &Route) -> bool {
        self.targets.get(&route.access.target).is_none_or(|target| target.reserved_by.is_empty())
    }

    /// When the first reservation of an object that is gone ends.
    fn first_end(&self, lane: &Lane) -> Option<Duration> {
        lane.reserved_by.iter().filter_map(|id| end(self.jobs.get(id)?)).min()
    }
}

fn end(job: &Job) -> Option<Duration> {
    match job.state {
        State::Reserving { until } => until,
        State::Waiting | State::Idle => None,
    }
}

/// Waking.
impl Scheduler {
    /// What is due by the clock: the jobs to wake, and when to ask again.
    pub fn due(&mut self, now: Duration) -> (Woken, Option<Duration>) {
        let mut lanes = BTreeSet::new();
        while let Some((_, lane)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            self.set_timer(&lane, None);
            lanes.insert(lane);
        }
        let woken = self.examine_all(lanes, None, now);
        (woken, self.timers.first().map(|(at, _)| *at))
    }

    /// Forgets which jobs were woken and when lanes are examined, except for the ends of reservations of objects that are gone: for a
    /// model in which any job may have a pass at any time.
    pub fn forget_wake_ups(&mut self) {
        self.timers.clear();
        for lane in self.lanes.values_mut() {
            (lane.woken, lane.timer) = (None, None);
        }
        let ends = self.lanes.iter().filter_map(|(key, lane)| Some((key.clone(), self.first_end(lane)?)));
        for (lane, end) in ends.collect::<Vec<_>>() {
            self.set_timer(&lane, Some(end));
        }
    }

    /// Examines the lanes that a change concerns. `own` is the job whose pass makes the change: it need not be woken.
    pub(super) fn examine_all(&mut self, mut lanes: BTreeSet<LaneKey>, own: Option<&ObjectId>, now: Duration) -> Woken {
        let mut woken = BTreeSet::new();
        while let Some(lane) = lanes.pop_first() {
            lanes.extend(self.end_reservations(&lane, now));
            woken.extend(self.examine(&lane, own, now));
        }
        Woken(woken)
    }

    /// The one wake-up rule: wakes the job of a lane that may start, or sets the clock for when one may. If none may, the next in line
    /// is woken once, to say what it is behind.
    fn examine(&mut self, key: &LaneKey, own: Option<&ObjectId>, now: Duration) -> Option<ObjectId> {
        let rests = self.rest_until > now;
        let next = if rests { Next { job: None, later: Some(self.rest_until) } } else { self.next(key, now) };
        let may_start = next.job.is_some();
        let again = may_start.then(|| now + LOST_WAKE_UP);
        self.set_timer(key, again.into_iter().chain(next.later).min());
        let job = next.job.or_else(|| self.next_in_line(key, now).filter(|_| !rests));
        let lane = self.lanes.get_mut(key)?;
        let before = lane.woken.take();
        let id = job?;
        let known = before.filter(|woken| woken.id == id && woken.may_start == may_start);
        let is_lost = may_start && known.as_ref().is_some_and(|woken| woken.at + LOST_WAKE_UP <= now);
        let known = known.filter(|_| !is_lost);
        let wake = known.is_none() && own != Some(&id);
        let at = known.map_or(now, |woken| woken.at);
        lane.woken = Some(WokenJob { id: id.clone(), may_start, at });
        wake.then_some(id)
    }

    fn set_timer(&mut self, key: &LaneKey, at: Option<Duration>) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if let Some(old) = std::mem::replace(&mut lane.timer, at) {
            self.timers.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, key.clone()));
        }
    }

    /// Ends the reservations of objects that are gone and whose request must have shown by now. Answers the lanes that this concerns.
    fn end_reservations(&mut self, key: &LaneKey, now: Duration) -> BTreeSet<LaneKey> {
        let Some(lane) = self.lanes.get(key) else { return BTreeSet::new() };
        let is_over = |id: &&ObjectId| self.jobs.get(*id).and_then(end).is_some_and(|end| end <= now);
        let over: Vec<ObjectId> = lane.reserved_by.iter().filter(is_over).cloned().collect();
        let mut touched = BTreeSet::new();
        for id in over {
            if let Some(job) = self.jobs.remove(&id) {
                touched.extend(self.leave(&id, &job, now));
                self.unindex(&job.route);
            }
        }
        touched
    }
}

/// Objects of other namespaces are not named: one tenant is not to see the names of another.
fn name_for(reader: &ObjectId, blocker: &ObjectId) -> String {
    if blocker.namespace == reader.namespace { blocker.name.clone() } else { BLOCKED_BY_OTHER.to_owned() }
}
