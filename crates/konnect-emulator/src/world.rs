//! Everything the emulator knows, in one value: organizations, tokens, targets, faults and logs. Pure, like `job`.
//!
//! Here the targets meet: who may ask, what a region allows at a time (Q2), which events a window holds. Sockets, the
//! clock and the lock are in `shared`.

mod destinations;
mod replays;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::destinations::Destination;
use crate::Error;
use crate::behaviour::Behaviour;
use crate::contract::Violation;
use crate::event::AuditEvent;
use crate::fault::Faults;
use crate::hold::Holds;
use crate::job::{Job, Start};
use crate::limit::Limits;
use crate::model::{ApiVersion, Role, Scope, Status, TargetKey};
use crate::record::{Call, Delivery, Log};
use crate::settings::{Options, Q1, Q2, Timings};
use crate::webhook::{LastAttempt, Webhook, WebhookSlot};
use crate::wire::InvalidParameter;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) org: String,
    pub(crate) token: String,
    pub(crate) role: Role,
}

/// Why a PUT of a replay job was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The window breaks a rule: 400.
    Invalid(Vec<InvalidParameter>),
    /// No webhook takes events, where that is a 409.
    Off,
    /// A run is under way: 409.
    Busy,
}

/// Events to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emit {
    /// How many.
    pub count: usize,
    /// When they happened; now when not given.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
    /// Keep them only, as if live delivery had lost them.
    #[serde(default)]
    pub lost: bool,
}

impl Emit {
    /// Events that happen now and are delivered at once.
    pub fn now(count: usize) -> Self {
        Self { count, at: None, lost: false }
    }

    /// Events of another time, delivered at once.
    pub fn at(count: usize, at: DateTime<Utc>) -> Self {
        Self { count, at: Some(at), lost: false }
    }

    /// The same events, kept for replays and not delivered live.
    #[must_use]
    pub fn lost(mut self) -> Self {
        self.lost = true;
        self
    }
}

/// Work that follows from a change, for `runner` to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Deliver events that just happened.
    Live(TargetKey, Vec<AuditEvent>),
    /// Deliver the events of a run's window again.
    Replay(TargetKey, Start),
}

/// What a tick of the whole world did.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Some job changed its state.
    pub(crate) moved: bool,
    /// What is to be done now.
    pub(crate) effects: Vec<Effect>,
}

#[derive(Debug)]
struct Organization {
    id: String,
    tokens: u32,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) job: Job,
    pub(crate) webhook: WebhookSlot,
    pub(crate) events: Vec<AuditEvent>,
    /// Events made so far, expired events included.
    made: usize,
    /// GET of the job answers this instead.
    pub(crate) forced: Option<Value>,
    /// Konnect knows this portal in one version of the API only.
    pub(crate) only: Option<ApiVersion>,
}

impl Target {
    fn new(timings: Timings, behaviour: Behaviour) -> Self {
        let job = Job::new(timings, behaviour);
        Self { job, webhook: WebhookSlot::default(), events: Vec::new(), made: 0, forced: None, only: None }
    }

    /// Whether what GET of the job shows was made by hand.
    pub(crate) fn is_bent(&self) -> bool {
        self.forced.is_some() || matches!(self.job.view().status, Status::Other(_))
    }
}

/// The whole state of an emulator.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) q1: Q1,
    pub(crate) q2: Q2,
    timings: Timings,
    behaviour: Behaviour,
    retention: Duration,
    orgs: BTreeMap<String, Organization>,
    tokens: BTreeMap<String, Identity>,
    targets: BTreeMap<TargetKey, Target>,
    destinations: BTreeMap<String, Destination>,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) limits: Limits,
    pub(crate) calls: Log<Call>,
    last_call: u64,
    pub(crate) deliveries: Log<Delivery>,
    pub(crate) violations: Log<Violation>,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            q1: options.q1,
            q2: options.q2,
            timings: options.timings,
            behaviour: options.behaviour.clone(),
            retention: options.retention,
            orgs: BTreeMap::new(),
            tokens: BTreeMap::new(),
            targets: BTreeMap::new(),
            destinations: BTreeMap::new(),
            faults: Faults::default(),
            holds: Holds::default(),
            limits: Limits::new(&options.rate_limits),
            calls: Log::default(),
            last_call: 0,
            deliveries: Log::default(),
            violations: Log::default(),
        }
    }

    /// Makes the organization if it is new.
    pub(crate) fn add_organization(&mut self, name: &str) {
        let new = || Organization { id: Uuid::new_v4().to_string(), tokens: 0 };
        self.orgs.entry(name.to_owned()).or_insert_with(new);
    }

    /// Adds a token and answers its name. A value that is known already changes hands.
    pub(crate) fn add_token(&mut self, org: &str, value: &str, role: Role) -> Result<String, Error> {
        let organization = self.orgs.get_mut(org).ok_or_else(|| Error::UnknownOrganization(org.to_owned()))?;
        organization.tokens += 1;
        let token = format!("{org}/token-{}", organization.tokens);
        let identity = Identity { org: org.to_owned(), token: token.clone(), role };
        self.tokens.insert(value.to_owned(), identity);
        Ok(token)
    }

    pub(crate) fn set_role(&mut self, value: &str, role: Role) -> bool {
        self.tokens.get_mut(value).map(|identity| identity.role = role).is_some()
    }

    pub(crate) fn revoke_token(&mut self, value: &str) -> bool {
        self.tokens.remove(value).is_some()
    }

    pub(crate) fn identify(&self, value: &str) -> Option<&Identity> {
        self.tokens.get(value)
    }

    pub(crate) fn add_portal(&mut self, key: &TargetKey) -> Result<(), Error> {
        if !self.orgs.contains_key(&key.org) {
            return Err(Error::UnknownOrganization(key.org.clone()));
        }
        let (timings, behaviour) = (self.timings, &self.behaviour);
        self.targets.entry(key.clone()).or_insert_with(|| Target::new(timings, behaviour.clone()));
        Ok(())
    }

    /// Behaviour of targets to come; of all, unless one was changed on its own.
    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Changes the behaviour of every target, those to come included.
    pub(crate) fn change_behaviour(&mut self, change: impl Fn(&mut Behaviour)) {
        change(&mut self.behaviour);
        for target in self.targets.values_mut() {
            target.job.change_behaviour(&change);
        }
    }

    pub(crate) fn organizations(&self) -> Vec<String> {
        self.orgs.keys().cloned().collect()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = (&TargetKey, &Target)> {
        self.targets.iter()
    }

    pub(crate) fn target(&self, key: &TargetKey) -> Result<&Target, Error> {
        self.targets.get(key).ok_or_else(|| Error::UnknownTarget(key.clone()))
    }

    /// The organization's own target exists in every region, so it is made when first asked for.
    pub(crate) fn target_mut(&mut self, key: &TargetKey) -> Result<&mut Target, Error> {
        if key.scope == Scope::Organization {
            self.add_portal(key)?;
        }
        self.targets.get_mut(key).ok_or_else(|| Error::UnknownTarget(key.clone()))
    }

    pub(crate) fn set_webhook(
        &mut self,
        key: &TargetKey,
        webhook: Option<Webhook>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.target_mut(key)?.webhook.set(webhook.clone(), now);
        if let Some(webhook) = webhook {
            self.note_destination(&key.org, &webhook, now);
        }
        Ok(())
    }

    /// Adds the number to a call and logs it.
    pub(crate) fn log_call(&mut self, mut call: Call) -> u64 {
        self.last_call += 1;
        call.number = self.last_call;
        self.calls.push(call);
        self.last_call
    }

    pub(crate) fn log_delivery(&mut self, delivery: Delivery, message: String, now: DateTime<Utc>) {
        let last = LastAttempt { at: delivery.at, response_code: delivery.response_code, message };
        if let Ok(target) = self.target_mut(&delivery.target) {
            let q12 = target.job.behaviour().q12;
            target.webhook.attempted(last, q12, now);
        }
        self.deliveries.push(delivery);
    }
}

#[cfg(test)]
mod tests;
