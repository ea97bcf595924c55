//! Trouble that many jobs share: a Secret without a usable token, a target without a webhook, a region that does not answer or
//! takes no second run. Kept
//! in memory, and looked into by one job at a time; all others behind it are passed over without a call (invariants I6 and I8).

use std::collections::HashMap;
use std::time::Duration;

use super::{Candidate, ObjectId};
use crate::replay::job::{SecretRef, TargetKey};
use crate::replay::step::WaitCause;

/// What the trouble is with. One of these concerns every job that shares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TroubleWith {
    /// The token in this Secret.
    Secret(SecretRef),
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
            | WaitCause::Resting
            | WaitCause::TimeToLive => None,
        }
    }

    fn all_of(who: &Candidate) -> [Self; 4] {
        let (secret, region) = (&who.secret, &who.base_url);
        [
            Self::Secret(secret.clone()),
            Self::Target(who.target.clone()),
            Self::Region(region.clone()),
            Self::Busy(region.clone(), secret.clone()),
        ]
    }
}

/// Who looks into it, and until when nobody else does.
#[derive(Clone, Debug, PartialEq)]
struct Trouble {
    prober: ObjectId,
    until: Duration,
}

/// All known trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Troubles(HashMap<TroubleWith, Trouble>);

impl Troubles {
    /// Takes note that `who` has found trouble and will look again before `until`.
    pub(super) fn note(&mut self, what: TroubleWith, who: &ObjectId, until: Duration) {
        let trouble = self.0.entry(what).or_insert_with(|| Trouble { prober: who.clone(), until });
        if trouble.prober == *who {
            trouble.until = until;
        }
    }

    /// Takes note that it is over. Answers whether there was any.
    pub(super) fn clear(&mut self, what: &TroubleWith) -> bool {
        self.0.remove(what).is_some()
    }

    /// What `who` is passed over for: trouble that another job looks into.
    pub(super) fn of(&self, who: &Candidate, now: Duration) -> Option<(TroubleWith, ObjectId)> {
        // Nearly always, and asked for each one that waits at a head.
        if self.0.is_empty() {
            return None;
        }
        TroubleWith::all_of(who).into_iter().find_map(|what| {
            let trouble = self.0.get(&what).filter(|t| t.prober != who.id && now < t.until)?;
            Some((what, trouble.prober.clone()))
        })
    }

    /// Lets `who` look into whatever of its trouble nobody looks into any more.
    pub(super) fn adopt(&mut self, who: &Candidate, until: Duration) {
        for what in TroubleWith::all_of(who) {
            if let Some(trouble) = self.0.get_mut(&what) {
                *trouble = Trouble { prober: who.id.clone(), until };
            }
        }
    }

    /// `who` is gone: what it looked into is open to the next.
    pub(super) fn abandon(&mut self, who: &ObjectId) {
        for trouble in self.0.values_mut().filter(|t| t.prober == *who) {
            trouble.until = Duration::ZERO;
        }
    }
}
