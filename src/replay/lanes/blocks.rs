//! Runs that are not ours and stay in the way. Whether Konnect runs one replay per region or one per portal is not known: after a
//! while the lane looks at other portals too, one look at a time, so that a block that concerns one portal does not hold up all.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Candidate, Known, Lanes, ObjectId};
use crate::replay::job::LaneKey;

/// How long somebody else's run is waited for before the lane looks at other portals.
const PATIENCE: Duration = Duration::from_mins(10);

/// A lane whose holder found somebody else's run in its way.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    since: Duration,
    /// Who stands aside for others. Each keeps its target: to look at it again for another object would tell nothing new.
    aside: BTreeSet<ObjectId>,
}

/// All lanes that are blocked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Blocks(HashMap<LaneKey, Block>);

impl Blocks {
    pub(super) fn stands_aside(&mut self, lane: &LaneKey, who: &ObjectId) {
        if let Some(block) = self.0.get_mut(lane) {
            block.aside.insert(who.clone());
        }
    }

    pub(super) fn no_longer_aside(&mut self, lane: &LaneKey, who: &ObjectId) {
        if let Some(block) = self.0.get_mut(lane) {
            block.aside.remove(who);
        }
    }
}

impl Lanes {
    /// Takes note that `who`, whose turn it is, found somebody else's run in its way.
    pub fn blocked(&mut self, who: &ObjectId, now: Duration) {
        if let Some(lane) = self.held_lane(who) {
            self.blocks.0.entry(lane).or_insert_with(|| Block { since: now, aside: BTreeSet::new() });
        }
    }

    /// Takes note that Konnect refused the request of `who` because of a run that `who` cannot see: the block concerns the region.
    /// Who stood aside was no more in the way than any other, and the next look at another portal is due when patience is over
    /// again. Says who may be woken because of it.
    pub fn refused(&mut self, who: &ObjectId, now: Duration) -> Vec<ObjectId> {
        let Some(lane) = self.held_lane(who) else { return Vec::new() };
        let stood_aside = self.restore(&lane);
        self.blocks.0.insert(lane.clone(), Block { since: now, aside: BTreeSet::new() });
        match self.known.get(who).map(|known| known.who.clone()).filter(|_| stood_aside) {
            Some(holder) => {
                self.wait(&holder);
                self.head_of_lane(&lane, now).into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    /// Takes note that a run of `who` is under way: nothing is in its lane's way any more.
    pub fn going(&mut self, who: &ObjectId) {
        if let Some(lane) = self.held_lane(who) {
            self.restore(&lane);
        }
    }

    /// Lets `who` stand aside, if its lane has been blocked for so long that another portal is looked at, and there is one. Asked
    /// before each look, so that the lane as a whole looks no more often than one of its jobs would. Says who may be woken because of
    /// it.
    pub fn give_way(&mut self, who: &ObjectId, now: Duration) -> Option<ObjectId> {
        let lane = self.held_lane(who)?;
        let since = self.blocks.0.get(&lane)?.since;
        let next = self.next_portal(&lane, who, now).filter(|_| now.saturating_sub(since) >= PATIENCE)?;
        let known = self.known.get(who).map(|known| Known { who: known.who.clone(), aside: Some(now) })?;
        let queue = self.by_lane.entry(lane.clone()).or_default();
        queue.holders.remove(who);
        queue.waiting.insert(known.place());
        self.blocks.stands_aside(&lane, who);
        self.known.insert(who.clone(), known);
        Some(next)
    }

    /// The first behind `who` that could go if `who` did not hold the lane.
    fn next_portal(&self, lane: &LaneKey, who: &ObjectId, now: Duration) -> Option<ObjectId> {
        let queue = self.by_lane.get(lane)?;
        let alone = queue.holders.iter().all(|holder| holder == who);
        let mut waiting = self.waiting_in(queue).filter(|_| alone);
        waiting.find(|other| self.could_go(other, now)).map(|other| other.id.clone())
    }

    fn held_lane(&self, who: &ObjectId) -> Option<LaneKey> {
        self.known.get(who).map(|known| known.who.lane.clone()).filter(|_| self.holds_lane(who))
    }

    /// The block of a lane is over: who stood aside waits like any other. Answers whether anybody did.
    pub(super) fn restore(&mut self, lane: &LaneKey) -> bool {
        let Some(block) = self.blocks.0.remove(lane) else { return false };
        let aside: Vec<Candidate> = block.aside.iter().filter_map(|id| self.forget(id)).collect();
        for who in &aside {
            self.wait(who);
        }
        !aside.is_empty()
    }
}
