//! Trouble that many jobs share: a Secret without a usable token, a target without a webhook, a region that does not answer or
//! takes no second run. Kept in memory, and looked into by one job at a time; all others behind it are passed over without a call
//! (invariants I6 and I8). What one job finds to be trouble with the region may be its own target's, so the targets of a region take
//! turns at looking: the first that finds nothing wrong ends it for all.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Candidate, Lanes, ObjectId, PROBE_TIME};
use crate::replay::job::{SecretRef, TargetKey};
use crate::replay::step::WaitCause;

/// What the trouble is with. One of these concerns every job that shares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TroubleWith {
    /// The token in this Secret.
    Secret(SecretRef),
    /// What the token in this Secret may do at this target.
    Access(SecretRef, TargetKey),
    /// The webhook of this target, or the target itself.
    Target(TargetKey),
    /// Konnect at this base URL, or the way to it.
    Region(String),
    /// A run that Konnect refuses others for, at this base URL and for the organisation of this token.
    Busy(String, SecretRef),
}

impl TroubleWith {
    /// What a job that waits for `cause` is in trouble with; `None` where the wait concerns nobody else.
    pub fn of(who: &Candidate, cause: WaitCause) -> Option<Self> {
        match cause {
            WaitCause::Credentials => Some(Self::Secret(who.secret.clone())),
            WaitCause::Permission => Some(Self::Access(who.secret.clone(), who.target.clone())),
            WaitCause::Webhook | WaitCause::Portal => Some(Self::Target(who.target.clone())),
            WaitCause::Konnect | WaitCause::RateLimit => Some(Self::Region(who.base_url.clone())),
            // A lane that is the whole region needs no word of it.
            WaitCause::Conflict if who.lane.is_of_one_portal() => {
                Some(Self::Busy(who.base_url.clone(), who.secret.clone()))
            }
            WaitCause::Conflict
            | WaitCause::Poll
            | WaitCause::Kubernetes
            | WaitCause::Settle
            | WaitCause::RemoteJob
            | WaitCause::WindowEnd
            | WaitCause::Turn
            | WaitCause::Retry
            | WaitCause::Definition
            | WaitCause::Resting
            | WaitCause::TimeToLive => None,
        }
    }

    /// Whether it is trouble of a whole region, or may be.
    pub(super) fn is_the_regions(&self) -> bool {
        match self {
            Self::Region(_) | Self::Busy(..) => true,
            Self::Secret(_) | Self::Access(..) | Self::Target(_) => false,
        }
    }

    fn concerns(&self, who: &Candidate) -> bool {
        Self::all_of(who).contains(self)
    }

    fn all_of(who: &Candidate) -> [Self; 5] {
        let (secret, region) = (&who.secret, &who.base_url);
        [
            Self::Secret(secret.clone()),
            Self::Access(secret.clone(), who.target.clone()),
            Self::Target(who.target.clone()),
            Self::Region(region.clone()),
            Self::Busy(region.clone(), secret.clone()),
        ]
    }
}

/// Who looks into it, and until when nobody else does.
#[derive(Clone, Debug, PartialEq)]
struct Trouble {
    /// Whose message says what it is.
    found_by: ObjectId,
    prober: ObjectId,
    /// Not before this does the prober look, if another job looked before it.
    from: Duration,
    until: Duration,
    /// Whose own messages speak of it.
    looked: BTreeSet<ObjectId>,
}

/// Trouble that keeps somebody from going.
pub(super) struct InTheWay {
    pub(super) with: TroubleWith,
    pub(super) found_by: ObjectId,
    /// Whether the one that asks has looked into it before.
    pub(super) has_looked: bool,
    /// How long until the one that asks is to look into it itself, if it is the one.
    pub(super) look_in: Option<Duration>,
}

/// All known trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Troubles(HashMap<TroubleWith, Trouble>);

impl Troubles {
    /// Takes note that `who` has found trouble. Answers whether it is the one that looks into it.
    fn note(&mut self, with: TroubleWith, who: &ObjectId, until: Duration) -> bool {
        let trouble = self.0.entry(with).or_insert_with(|| Trouble {
            found_by: who.clone(),
            prober: who.clone(),
            from: Duration::ZERO,
            until,
            looked: BTreeSet::new(),
        });
        trouble.looked.insert(who.clone());
        if trouble.prober == *who {
            (trouble.from, trouble.until) = (Duration::ZERO, until);
        }
        trouble.prober == *who
    }

    fn hand_over(&mut self, with: &TroubleWith, next: &ObjectId, from: Duration) {
        if let Some(trouble) = self.0.get_mut(with) {
            (trouble.prober, trouble.from, trouble.until) = (next.clone(), from, from + PROBE_TIME);
        }
    }

    /// Takes note that it is over. Answers who has spoken of it, if there was any.
    fn clear(&mut self, with: &TroubleWith) -> Option<BTreeSet<ObjectId>> {
        self.0.remove(with).map(|trouble| trouble.looked)
    }

    /// What `who` is passed over for. One that looks into some trouble is not kept from it by other trouble: two that waited for each
    /// other would wait in vain.
    pub(super) fn of(&self, who: &Candidate, now: Duration) -> Option<InTheWay> {
        self.besides(None, who, now)
    }

    /// The same, besides one.
    fn besides(&self, except: Option<&TroubleWith>, who: &Candidate, now: Duration) -> Option<InTheWay> {
        // Nearly always, and asked for each one that waits at a head.
        if self.0.is_empty() {
            return None;
        }
        let shared = TroubleWith::all_of(who);
        if shared.iter().any(|with| self.is_looked_into_by(&who.id, with, now)) {
            return None;
        }
        let mut others = shared.into_iter().filter(|with| Some(with) != except);
        others.find_map(|with| self.in_the_way(with, &who.id, now))
    }

    fn is_looked_into_by(&self, who: &ObjectId, with: &TroubleWith, now: Duration) -> bool {
        self.0.get(with).is_some_and(|trouble| trouble.prober == *who && trouble.from <= now)
    }

    fn in_the_way(&self, with: TroubleWith, who: &ObjectId, now: Duration) -> Option<InTheWay> {
        let trouble = self.0.get(&with)?;
        let end = if trouble.prober == *who { trouble.from } else { trouble.until };
        let left = end.checked_sub(now).filter(|left| !left.is_zero())?;
        let (found_by, has_looked) = (trouble.found_by.clone(), trouble.looked.contains(who));
        Some(InTheWay { with, found_by, has_looked, look_in: (trouble.prober == *who).then_some(left) })
    }

    /// Lets `who` look into whatever of its trouble nobody looks into any more.
    pub(super) fn adopt(&mut self, who: &Candidate, now: Duration) {
        for with in TroubleWith::all_of(who) {
            let is_open = |trouble: &&mut Trouble| trouble.prober == who.id || trouble.until <= now;
            if let Some(trouble) = self.0.get_mut(&with).filter(is_open) {
                let until = now + PROBE_TIME;
                (trouble.prober, trouble.from, trouble.until) = (who.id.clone(), Duration::ZERO, until);
                if !trouble.looked.contains(&trouble.found_by) {
                    trouble.found_by = who.id.clone();
                }
            }
        }
    }

    /// `who` is gone: what it looked into is open to the next, and others speak for it.
    pub(super) fn abandon(&mut self, who: &ObjectId) {
        for trouble in self.0.values_mut() {
            trouble.looked.remove(who);
            if trouble.prober == *who {
                (trouble.from, trouble.until) = (Duration::ZERO, Duration::ZERO);
            }
            if trouble.found_by == *who
                && let Some(other) = trouble.looked.first()
            {
                trouble.found_by = other.clone();
            }
        }
    }
}

impl Lanes {
    /// Takes note that `who` has found trouble, and that nobody is to look again before `again`; until then, and while one looks, all
    /// others that share the trouble are passed over. Says who looks next, if another does.
    pub fn in_trouble(&mut self, with: &TroubleWith, who: &Candidate, again: Duration) -> Option<ObjectId> {
        if !self.troubles.note(with.clone(), &who.id, again + PROBE_TIME) {
            return None;
        }
        let next = self.next_to_look(with, who, again)?;
        self.troubles.hand_over(with, &next, again);
        Some(next)
    }

    /// The first that waits for the next target of a region, round and round.
    fn next_to_look(&self, with: &TroubleWith, who: &Candidate, at: Duration) -> Option<ObjectId> {
        if !with.is_the_regions() {
            return None;
        }
        let could_look = |other: &&Candidate| {
            let is_free = self.holder_of_lane(&other.lane).is_none() && self.other_holder_of_target(other).is_none();
            is_free && with.concerns(other)
        };
        let next_of = |queue| {
            let mut waiting = self.waiting_in(queue).filter(could_look);
            waiting.find(|other| self.troubles.besides(Some(with), other, at).is_none())
        };
        let others = self.by_target.iter().filter(|(target, _)| **target != who.target);
        let round = others.filter_map(|(target, queue)| Some((*target < who.target, target, next_of(queue)?)));
        let next = round.min_by_key(|(comes_round, target, _)| (*comes_round, *target));
        next.map(|(.., next)| next.id.clone())
    }

    /// Takes note that trouble is over, and says who may be woken because of it: who may go now, and whose message speaks of it.
    pub fn mended(&mut self, with: &TroubleWith, now: Duration) -> Vec<ObjectId> {
        let Some(looked) = self.troubles.clear(with) else { return Vec::new() };
        let mut woken: Vec<ObjectId> = self.by_lane.values().filter_map(|queue| self.head(queue, now)).collect();
        woken.extend(looked.into_iter().filter(|who| self.known.contains_key(who) && !self.holds(who)));
        woken.extend(self.that_speak_of(with));
        let mut seen = BTreeSet::new();
        woken.retain(|who| seen.insert(who.clone()));
        woken
    }

    /// All that wait and share what is mended: of a region only the first of each lane says so.
    fn that_speak_of(&self, with: &TroubleWith) -> Vec<ObjectId> {
        let of_each = if with.is_the_regions() { 1 } else { usize::MAX };
        let speak = self.by_lane.values().flat_map(|lane| self.waiting_in(lane).take(of_each));
        speak.filter(|who| with.concerns(who)).map(|who| who.id.clone()).collect()
    }
}
