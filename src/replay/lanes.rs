//! Who may go: one run at a time per lane, one submission at a time per target. An index in memory, rebuilt at start from the
//! objects' status; the objects are the truth.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::job::{LaneKey, TargetKey};
use super::observed::Turn;
use crate::api::BLOCKED_BY_OTHER;

/// An object of a cluster, and which one of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID: a re-created object is another one.
    pub uid: String,
}

/// Someone who wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which object.
    pub id: ObjectId,
    /// Its lane.
    pub lane: LaneKey,
    /// Its target.
    pub target: TargetKey,
    /// When its window begins to be deleted at Konnect: the earliest goes first.
    pub expires_at: DateTime<Utc>,
    /// When it was created: decides among equals.
    pub created_at: DateTime<Utc>,
}

/// The order of a lane: what Konnect deletes first goes first, then what was asked for first.
type Place = (DateTime<Utc>, DateTime<Utc>, ObjectId);

impl Candidate {
    fn place(&self) -> Place {
        (self.expires_at, self.created_at, self.id.clone())
    }
}

/// Who holds a lane or a target, and who waits for it. More than one may hold it: submissions found at start are held as found.
#[derive(Debug, Default)]
struct Queue {
    holders: BTreeSet<ObjectId>,
    waiting: BTreeSet<Place>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.waiting.is_empty()
    }
}

/// Who holds what, and who waits for it. Asking and answering cost O(log n) in the number of those who wait, besides those at
/// the head of a lane whose target another lane holds.
#[derive(Debug, Default)]
pub struct Lanes {
    by_lane: HashMap<LaneKey, Queue>,
    by_target: HashMap<TargetKey, Queue>,
    known: HashMap<ObjectId, Candidate>,
    rest_until: Duration,
}

impl Lanes {
    /// Lets nobody begin before `mono`, by the clock of this process: after a leader that did not end in order, a request of an
    /// object that is gone meanwhile may still be on its way.
    pub fn rest_until(&mut self, mono: Duration) {
        self.rest_until = mono;
    }

    /// How long nobody may begin, from `mono` on.
    pub fn resting(&self, mono: Duration) -> Option<Duration> {
        self.rest_until.checked_sub(mono).filter(|left| !left.is_zero())
    }

    /// Reserves lane and target for `who` if both are free and nobody who may go comes first; else takes note that it waits.
    pub fn take(&mut self, who: &Candidate) -> Turn {
        if self.holds(&who.id) {
            return Turn::Ours;
        }
        self.wait(who);
        if let Some(blocker) = self.blocker(who) {
            return Turn::Behind { blocked_by: name_for(&who.id, &blocker) };
        }
        self.hold(who);
        Turn::Ours
    }

    /// Reserves lane and target for a submission that may be under way, whoever else holds them.
    pub fn hold(&mut self, who: &Candidate) {
        self.forget(&who.id);
        self.by_lane.entry(who.lane.clone()).or_default().holders.insert(who.id.clone());
        self.by_target.entry(who.target.clone()).or_default().holders.insert(who.id.clone());
        self.known.insert(who.id.clone(), who.clone());
    }

    /// Gives up whatever `who` holds or waits for, and says who may be woken because of it.
    pub fn leave(&mut self, who: &ObjectId) -> Vec<ObjectId> {
        let held = self.holds(who);
        let Some(gone) = self.forget(who) else { return Vec::new() };
        // One that waited at the head may have been what others waited behind.
        let mut heads: Vec<ObjectId> = self.head_of_lane(&gone.lane).into_iter().collect();
        heads.extend(self.head_of_target(&gone.target).filter(|_| held));
        heads.dedup();
        heads
    }

    /// Everything known under a name, whatever its UID: for an object that is gone.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<ObjectId> {
        self.known.keys().filter(|id| id.namespace == namespace && id.name == name).cloned().collect()
    }

    fn holds(&self, who: &ObjectId) -> bool {
        let lane = self.known.get(who).and_then(|candidate| self.by_lane.get(&candidate.lane));
        lane.is_some_and(|queue| queue.holders.contains(who))
    }

    fn wait(&mut self, who: &Candidate) {
        self.forget(&who.id);
        self.by_lane.entry(who.lane.clone()).or_default().waiting.insert(who.place());
        self.by_target.entry(who.target.clone()).or_default().waiting.insert(who.place());
        self.known.insert(who.id.clone(), who.clone());
    }

    /// Who is in the way: a holder of the lane or target, else an earlier candidate of the same lane that may go itself.
    fn blocker(&self, who: &Candidate) -> Option<ObjectId> {
        let holder = self.holder_of_lane(&who.lane).or_else(|| self.holder_of_target(&who.target));
        holder.cloned().or_else(|| self.head_of_lane(&who.lane).filter(|head| *head != who.id))
    }

    fn holder_of_lane(&self, lane: &LaneKey) -> Option<&ObjectId> {
        self.by_lane.get(lane)?.holders.first()
    }

    fn holder_of_target(&self, target: &TargetKey) -> Option<&ObjectId> {
        self.by_target.get(target)?.holders.first()
    }

    /// The first of a lane that may go now: nobody holds the lane, nor its target.
    fn head_of_lane(&self, lane: &LaneKey) -> Option<ObjectId> {
        let queue = self.by_lane.get(lane).filter(|queue| queue.holders.is_empty())?;
        let may_go = |id: &&ObjectId| self.known.get(*id).is_some_and(|c| self.holder_of_target(&c.target).is_none());
        queue.waiting.iter().map(|(_, _, id)| id).find(may_go).cloned()
    }

    /// The first that waits for a target and may go now, whatever its lane.
    fn head_of_target(&self, target: &TargetKey) -> Option<ObjectId> {
        let queue = self.by_target.get(target).filter(|queue| queue.holders.is_empty())?;
        let may_go = |id: &&ObjectId| self.known.get(*id).is_some_and(|c| self.holder_of_lane(&c.lane).is_none());
        queue.waiting.iter().map(|(_, _, id)| id).find(may_go).cloned()
    }

    fn forget(&mut self, who: &ObjectId) -> Option<Candidate> {
        let gone = self.known.remove(who)?;
        remove(&mut self.by_lane, &gone.lane, &gone);
        remove(&mut self.by_target, &gone.target, &gone);
        Some(gone)
    }
}

fn remove<K: std::hash::Hash + Eq>(queues: &mut HashMap<K, Queue>, key: &K, gone: &Candidate) {
    if let Some(queue) = queues.get_mut(key) {
        queue.holders.remove(&gone.id);
        queue.waiting.remove(&gone.place());
        if queue.is_empty() {
            queues.remove(key);
        }
    }
}

/// Objects of other namespaces are not named: their names are nobody else's business.
fn name_for(reader: &ObjectId, blocker: &ObjectId) -> String {
    if blocker.namespace == reader.namespace { blocker.name.clone() } else { BLOCKED_BY_OTHER.to_owned() }
}
