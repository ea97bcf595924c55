//! Who may go: one run at a time per lane, one submission at a time per target. An index in memory, rebuilt at start from the
//! objects' status; the objects are the truth.

mod blocks;
mod troubles;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::job::{LaneKey, SecretRef, TargetKey};
use super::observed::Turn;
use crate::api::BLOCKED_BY_OTHER;
use blocks::Blocks;
pub use troubles::TroubleWith;
use troubles::{InTheWay, Troubles};

/// How long a job that looks into trouble has for it before the next one may: the waits between its looks come on top.
const PROBE_TIME: Duration = Duration::from_mins(2);

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
    /// Its token.
    pub secret: SecretRef,
    /// Its Konnect.
    pub base_url: String,
    /// When its window begins to be deleted at Konnect: the earliest goes first.
    pub expires_at: DateTime<Utc>,
    /// When it was created: decides among equals.
    pub created_at: DateTime<Utc>,
}

/// The order of a lane: what Konnect deletes first goes first, then what was asked for first. Those that stand aside for others,
/// because somebody else's run is in their way, come after all that do not, the longest aside first.
type Place = (Option<Duration>, DateTime<Utc>, DateTime<Utc>, ObjectId);

/// One that holds or waits.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    who: Candidate,
    /// Since when it stands aside.
    aside: Option<Duration>,
}

impl Known {
    fn place(&self) -> Place {
        (self.aside, self.who.expires_at, self.who.created_at, self.who.id.clone())
    }
}

/// Who holds a lane or a target, and who waits for it. More than one may hold it: submissions found at start are held as found.
#[derive(Clone, Debug, Default, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lanes {
    by_lane: HashMap<LaneKey, Queue>,
    by_target: HashMap<TargetKey, Queue>,
    known: BTreeMap<ObjectId, Known>,
    blocks: Blocks,
    troubles: Troubles,
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

    /// Reserves lane and target for `who` if both are free, nobody who may go comes first, and nobody looks into trouble that `who`
    /// shares; else takes note that it waits. `now` is by the clock of this process.
    pub fn take(&mut self, who: &Candidate, now: Duration) -> Turn {
        if self.holds_lane(&who.id) {
            return Turn::Ours;
        }
        self.wait(who);
        if let Some(trouble) = self.troubles.of(who, now) {
            return self.passed_over(who, trouble);
        }
        if let Some(blocker) = self.blocker(who, now) {
            return self.behind(who, &blocker);
        }
        self.troubles.adopt(who, now);
        self.hold(who);
        Turn::Ours
    }

    /// Takes the turn from `who`, of which nothing is under way, if another job looks into trouble that it shares: a region that is
    /// down is asked by one job, and not by one of each lane. Says who may be woken because of it.
    pub fn pass_over(&mut self, who: &Candidate, now: Duration) -> Vec<ObjectId> {
        let is_in_trouble = self.holds_lane(&who.id) && self.troubles.of(who, now).is_some();
        if is_in_trouble { self.leave(&who.id, now) } else { Vec::new() }
    }

    /// Gives up what `who` holds, and keeps its place among those who wait. Says who may be woken because of it.
    pub fn back_to_the_queue(&mut self, who: &Candidate, now: Duration) -> Vec<ObjectId> {
        let mut woken = self.leave(&who.id, now);
        self.wait(who);
        woken.retain(|other| self.known.get(other).is_some_and(|known| self.blocker(&known.who, now).is_none()));
        woken
    }

    /// Reserves lane and target for a submission that may be under way, whoever else holds them.
    pub fn hold(&mut self, who: &Candidate) {
        self.forget(&who.id);
        self.by_lane.entry(who.lane.clone()).or_default().holders.insert(who.id.clone());
        self.hold_target_of(who);
    }

    /// Reserves the target alone, for a submission of which nothing was heard for long: others of its lane may go. Says who may
    /// be woken because of it.
    pub fn hold_target(&mut self, who: &Candidate, now: Duration) -> Vec<ObjectId> {
        let held_lane = self.holds_lane(&who.id);
        self.forget(&who.id);
        self.hold_target_of(who);
        self.head_of_lane(&who.lane, now).filter(|_| held_lane).into_iter().collect()
    }

    fn hold_target_of(&mut self, who: &Candidate) {
        self.by_target.entry(who.target.clone()).or_default().holders.insert(who.id.clone());
        self.known.insert(who.id.clone(), Known { who: who.clone(), aside: None });
    }

    /// Gives up whatever `who` holds or waits for, and says who may be woken because of it.
    pub fn leave(&mut self, who: &ObjectId, now: Duration) -> Vec<ObjectId> {
        let held = self.holds(who);
        if let Some(lane) = self.known.get(who).map(|known| known.who.lane.clone()).filter(|_| self.holds_lane(who)) {
            self.restore(&lane);
        }
        let Some(gone) = self.forget(who) else { return Vec::new() };
        // One that waited at the head may have been what others waited behind.
        let mut heads: Vec<ObjectId> = self.head_of_lane(&gone.lane, now).into_iter().collect();
        heads.extend(self.head_of_target(&gone.target, now).filter(|_| held));
        heads.dedup();
        heads
    }

    /// The same for an object that is gone for good: trouble that it looked into is open to the next.
    pub fn gone(&mut self, who: &ObjectId, now: Duration) -> Vec<ObjectId> {
        self.troubles.abandon(who);
        self.leave(who, now)
    }

    /// The one of each lane that is to be looked at now and then, so that no lost wake-up stops a lane: the first that may go, or else
    /// the first that waits.
    pub fn firsts(&self, now: Duration) -> Vec<ObjectId> {
        let first = |queue: &Queue| self.head(queue, now).or_else(|| queue.waiting.first().map(|(.., id)| id.clone()));
        self.by_lane.values().filter_map(first).collect()
    }

    /// Everybody who holds or waits.
    pub fn everybody(&self) -> impl Iterator<Item = &ObjectId> {
        self.known.keys()
    }

    /// Everything known under a name, whatever its UID: for an object that is gone.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<ObjectId> {
        let first = ObjectId { namespace: namespace.to_owned(), name: name.to_owned(), uid: String::new() };
        let of_that_name = |id: &&ObjectId| id.namespace == namespace && id.name == name;
        self.known.range(&first..).map(|(id, _)| id).take_while(of_that_name).cloned().collect()
    }

    /// Whether `who` holds its target, and so perhaps its lane.
    pub fn holds(&self, who: &ObjectId) -> bool {
        let target = self.known.get(who).and_then(|known| self.by_target.get(&known.who.target));
        target.is_some_and(|queue| queue.holders.contains(who))
    }

    pub(super) fn holds_lane(&self, who: &ObjectId) -> bool {
        let lane = self.known.get(who).and_then(|known| self.by_lane.get(&known.who.lane));
        lane.is_some_and(|queue| queue.holders.contains(who))
    }

    /// Takes note that `who` waits. A target that it holds without its lane it keeps: nobody else is to go there meanwhile.
    pub fn wait(&mut self, who: &Candidate) {
        let keeps_target = self.holds(&who.id) && !self.holds_lane(&who.id);
        let aside = self.known.get(&who.id).and_then(|known| known.aside);
        self.forget(&who.id);
        let known = Known { who: who.clone(), aside };
        self.by_lane.entry(who.lane.clone()).or_default().waiting.insert(known.place());
        let at_target = self.by_target.entry(who.target.clone()).or_default();
        if keeps_target {
            at_target.holders.insert(who.id.clone());
        } else {
            at_target.waiting.insert(known.place());
        }
        if aside.is_some() {
            self.blocks.stands_aside(&who.lane, &who.id);
        }
        self.known.insert(who.id.clone(), known);
    }

    fn behind(&self, who: &Candidate, blocker: &ObjectId) -> Turn {
        if self.is_aside(&who.id) {
            return Turn::Aside;
        }
        if self.is_next(who) { Turn::Behind { blocked_by: name_for(&who.id, blocker) } } else { Turn::Later }
    }

    /// Of a region that is in trouble the first of each lane speaks, and who has seen it: else each time it mends itself would
    /// rewrite everybody.
    fn passed_over(&self, who: &Candidate, trouble: InTheWay) -> Turn {
        let InTheWay { with, found_by, has_looked, look_in } = trouble;
        if self.is_aside(&who.id) {
            return Turn::Aside;
        }
        if !with.is_the_regions() || has_looked || look_in.is_some() || self.is_next(who) {
            return Turn::PassedOver { blocked_by: name_for(&who.id, &found_by), with, look_in };
        }
        Turn::Later
    }

    fn is_aside(&self, who: &ObjectId) -> bool {
        self.known.get(who).is_some_and(|known| known.aside.is_some())
    }

    /// Whether nobody of its lane waits before `who`.
    fn is_next(&self, who: &Candidate) -> bool {
        let first = self.by_lane.get(&who.lane).and_then(|lane| lane.waiting.first());
        first.is_some_and(|(.., id)| *id == who.id)
    }

    /// Those that wait for a lane, in the order in which they go.
    pub fn waiting(&self, lane: &LaneKey) -> impl Iterator<Item = &ObjectId> {
        self.by_lane.get(lane).into_iter().flat_map(|queue| queue.waiting.iter().map(|(.., id)| id))
    }

    /// Who is in the way: a holder of the lane or target, else an earlier candidate of the same lane that may go itself.
    pub fn blocker(&self, who: &Candidate, now: Duration) -> Option<ObjectId> {
        let holder = self.holder_of_lane(&who.lane).or_else(|| self.other_holder_of_target(who));
        holder.cloned().or_else(|| self.head_of_lane(&who.lane, now).filter(|head| *head != who.id))
    }

    fn holder_of_lane(&self, lane: &LaneKey) -> Option<&ObjectId> {
        self.by_lane.get(lane)?.holders.first()
    }

    fn other_holder_of_target(&self, who: &Candidate) -> Option<&ObjectId> {
        self.by_target.get(&who.target)?.holders.iter().find(|holder| **holder != who.id)
    }

    /// The first of a lane that may go now.
    fn head_of_lane(&self, lane: &LaneKey, now: Duration) -> Option<ObjectId> {
        self.head(self.by_lane.get(lane)?, now)
    }

    /// The first that waits for a target and may go now, whatever its lane.
    fn head_of_target(&self, target: &TargetKey, now: Duration) -> Option<ObjectId> {
        self.head(self.by_target.get(target)?, now)
    }

    fn head(&self, queue: &Queue, now: Duration) -> Option<ObjectId> {
        // Whoever holds the queue's own lane or target is in everybody's way: no need to look at each.
        if !queue.holders.is_empty() {
            return None;
        }
        let lane_is_free = |who: &Candidate| self.holder_of_lane(&who.lane).is_none();
        self.waiting_in(queue).find(|who| lane_is_free(who) && self.could_go(who, now)).map(|who| who.id.clone())
    }

    fn waiting_in<'a>(&'a self, queue: &'a Queue) -> impl Iterator<Item = &'a Candidate> {
        queue.waiting.iter().filter_map(|(.., id)| self.known.get(id).map(|known| &known.who))
    }

    /// Whether nothing but its lane can be in the way of `who`.
    fn could_go(&self, who: &Candidate, now: Duration) -> bool {
        self.other_holder_of_target(who).is_none() && self.troubles.of(who, now).is_none()
    }

    fn forget(&mut self, who: &ObjectId) -> Option<Candidate> {
        let gone = self.known.remove(who)?;
        remove(&mut self.by_lane, &gone.who.lane, &gone);
        remove(&mut self.by_target, &gone.who.target, &gone);
        self.blocks.no_longer_aside(&gone.who.lane, who);
        Some(gone.who)
    }
}

fn remove<K: std::hash::Hash + Eq>(queues: &mut HashMap<K, Queue>, key: &K, gone: &Known) {
    if let Some(queue) = queues.get_mut(key) {
        queue.holders.remove(&gone.who.id);
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
