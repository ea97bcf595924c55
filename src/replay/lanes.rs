//! Who may go: one run at a time per lane, one submission at a time per target. An index in memory, rebuilt at start from the
//! objects' status; the objects are the truth.

use std::collections::{BTreeMap, HashMap};

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

/// The order of a lane.
type Place = (DateTime<Utc>, DateTime<Utc>, ObjectId);

impl Candidate {
    fn place(&self) -> Place {
        (self.expires_at, self.created_at, self.id.clone())
    }
}

/// Who holds what, and who waits for it.
#[derive(Debug, Default)]
pub struct Lanes {
    holders: HashMap<ObjectId, (LaneKey, TargetKey)>,
    waiting: BTreeMap<Place, (LaneKey, TargetKey)>,
}

impl Lanes {
    /// Reserves lane and target for `who` if both are free and nobody who may go comes first; else takes note that it waits.
    pub fn take(&mut self, who: &Candidate) -> Turn {
        if self.holders.contains_key(&who.id) {
            return Turn::Ours;
        }
        self.forget_waiting(&who.id);
        self.waiting.insert(who.place(), (who.lane.clone(), who.target.clone()));
        if let Some(blocker) = self.blocker(who) {
            let name = if blocker.namespace == who.id.namespace { &blocker.name } else { BLOCKED_BY_OTHER };
            return Turn::Behind { blocked_by: name.to_owned() };
        }
        self.hold(who);
        Turn::Ours
    }

    /// Reserves lane and target for a submission that may be under way, whoever else holds them.
    pub fn hold(&mut self, who: &Candidate) {
        self.forget_waiting(&who.id);
        self.holders.insert(who.id.clone(), (who.lane.clone(), who.target.clone()));
    }

    /// Gives up whatever `who` holds or waits for, and says who may be woken because of it.
    pub fn leave(&mut self, who: &ObjectId) -> Vec<ObjectId> {
        self.forget_waiting(who);
        match self.holders.remove(who) {
            Some((lane, target)) => self.heads(&lane, &target),
            None => Vec::new(),
        }
    }

    /// Everything known under a name, whatever its UID: for an object that is gone.
    pub fn named(&self, namespace: &str, name: &str) -> Vec<ObjectId> {
        let waiting = self.waiting.keys().map(|(_, _, id)| id);
        let matches = |id: &&ObjectId| id.namespace == namespace && id.name == name;
        self.holders.keys().chain(waiting).filter(matches).cloned().collect()
    }

    /// Who is in the way: a holder of the lane or target, else an earlier candidate of the same lane that may go itself.
    fn blocker(&self, who: &Candidate) -> Option<ObjectId> {
        let holder = self.holder(&who.lane, &who.target).cloned();
        holder.or_else(|| {
            let mut earlier = self.waiting.range(..who.place());
            earlier
                .find(|(_, (lane, target))| *lane == who.lane && !self.is_held(target))
                .map(|((_, _, id), _)| id.clone())
        })
    }

    fn holder(&self, lane: &LaneKey, target: &TargetKey) -> Option<&ObjectId> {
        self.holders.iter().filter(|(_, (l, t))| l == lane || t == target).map(|(id, _)| id).min()
    }

    fn is_held(&self, target: &TargetKey) -> bool {
        self.holders.values().any(|(_, t)| t == target)
    }

    /// The first in the lane that may go now, and the first of any lane that waits for the target.
    fn heads(&self, lane: &LaneKey, target: &TargetKey) -> Vec<ObjectId> {
        let free = |(l, t): &(LaneKey, TargetKey)| self.holder(l, t).is_none();
        let of_lane = self.waiting.iter().find(|(_, keys)| keys.0 == *lane && free(keys));
        let of_target = self.waiting.iter().find(|(_, keys)| keys.1 == *target && free(keys));
        let mut heads: Vec<ObjectId> = of_lane.into_iter().chain(of_target).map(|((_, _, id), _)| id.clone()).collect();
        heads.dedup();
        heads
    }

    fn forget_waiting(&mut self, who: &ObjectId) {
        self.waiting.retain(|(_, _, id), _| id != who);
    }
}
