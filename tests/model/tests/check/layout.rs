//! What there is in a world: the objects, the targets at Konnect with their organisations, and what is out of order there.

use konnect_replay_core::api::KonnectApiVersion;
use konnect_replay_core::replay::Serialize;

use super::konnect::Object;
use super::time::Tick;

/// A target at Konnect: it has one job at a time.
pub type Slot = usize;

/// What a user wrote into an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Which Secret.
    pub secret: usize,
    /// Which target, whatever the spec calls it.
    pub slot: Slot,
    /// Scope Organization: the spec names no target, and the token alone says which one it is.
    pub organization: bool,
    /// Which window; see [`super::konnect::Window`]. One of a higher number lies farther back, and expires earlier.
    pub window: usize,
    pub version: KonnectApiVersion,
    pub ignores_webhook: bool,
    /// `startingDeadlineSeconds`.
    pub starts_within: Option<u32>,
    /// `activeDeadlineSeconds`.
    pub active_for: Option<u32>,
}

/// A job for the portal of slot 0, with the first Secret and the first window.
pub const PLAN: Plan = Plan {
    secret: 0,
    slot: 0,
    organization: false,
    window: 0,
    version: KonnectApiVersion::Auto,
    ignores_webhook: false,
    starts_within: None,
    active_for: None,
};

/// What is out of order. It concerns the jobs for whom it is out of order, and no other may be kept from its end by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every PUT at the target is answered 503 and has no effect; a GET works.
    PutUnavailable(Slot),
    /// Every PUT at the target is answered 409 although the GET shows the target free.
    PutConflict(Slot),
    /// A run at the target goes on for ever.
    Hangs(Slot),
    /// Everything at the target is answered 503.
    Unavailable(Slot),
    /// The webhook of the target is switched off.
    WebhookOff(Slot),
    /// The target is not known (404) to this token.
    UnknownToToken(Slot, usize),
    /// The target is not known (404) under this version of the API.
    UnknownUnder(Slot, KonnectApiVersion),
    /// The token of this Secret is refused (401).
    Denied(usize),
}

impl Trouble {
    pub fn concerns(self, plan: &Plan) -> bool {
        match self {
            Self::PutUnavailable(slot) | Self::PutConflict(slot) | Self::Hangs(slot) | Self::Unavailable(slot) => {
                plan.slot == slot
            }
            Self::WebhookOff(slot) => plan.slot == slot && !plan.ignores_webhook,
            Self::UnknownToToken(slot, secret) => plan.slot == slot && plan.secret == secret,
            Self::UnknownUnder(slot, version) => plan.slot == slot && plan.version == version,
            Self::Denied(secret) => plan.secret == secret,
        }
    }

    /// What a GET of a job that it concerns is answered, if not a job.
    pub fn get(self) -> Option<u16> {
        match self {
            Self::PutUnavailable(_) | Self::PutConflict(_) | Self::Hangs(_) | Self::WebhookOff(_) => None,
            Self::Unavailable(_) => Some(503),
            Self::UnknownToToken(..) | Self::UnknownUnder(..) => Some(404),
            Self::Denied(_) => Some(401),
        }
    }

    /// What a PUT of such a job is answered, if it has no effect.
    pub fn put(self) -> Option<u16> {
        match self {
            Self::PutUnavailable(_) => Some(503),
            Self::PutConflict(_) => Some(409),
            other => other.get(),
        }
    }

    /// Whether a deadline ends the jobs that it concerns: what the verdict needs to know can be read.
    pub fn leaves_deadlines(self) -> bool {
        matches!(self, Self::PutUnavailable(_) | Self::PutConflict(_) | Self::Hangs(_))
    }
}

/// What becomes of the receiver of the events in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// It takes them all, and stays where it is.
    Always,
    /// It refuses them (403) until it is put right, at any time.
    AtLast,
    /// The webhook names another destination from any time on.
    Elsewhere,
}

/// What there is in a world.
#[derive(Clone, Debug)]
pub struct Layout {
    pub plans: Vec<Plan>,
    /// The organisation of each target.
    pub organizations: Vec<usize>,
    pub serialize: Serialize,
    /// Somebody else's run is under way at slot 0 when the story begins.
    pub foreign_runs: bool,
    /// Something that goes out of order at any time, once, and is put right at any later time.
    pub trouble: Option<Trouble>,
    /// What becomes of the receiver of the events.
    pub receiver: Receiving,
    /// Whether Konnect tells when the receiver last answered: without that no record shows a delivery, and no job is skipped.
    pub receiver_answers: bool,
    /// Whether the process knows all objects before the first pass, as the driver does once its list is complete: then the order of
    /// expiry decides from the start. Else the jobs ask in any order.
    pub queued: bool,
    /// How long after a PUT a GET may show the job from before it, in whole steps of the clock.
    pub lag: Tick,
    /// How much a step of the clock is; where it is more than one, nothing is on its way meanwhile.
    pub jump: Tick,
    /// Rounds of the schedule within which all jobs end that what is out of order does not concern.
    pub patience: usize,
}

impl Layout {
    /// So many objects of one portal and one Secret.
    pub fn of_one_portal(objects: usize) -> Self {
        Self::new((0..objects).map(|window| Plan { window, ..PLAN }).collect())
    }

    /// These objects; each target is one of the same organisation.
    pub fn new(plans: Vec<Plan>) -> Self {
        let slots = plans.iter().map(|plan| plan.slot + 1).max().unwrap_or(1);
        Self {
            plans,
            organizations: vec![0; slots],
            serialize: Serialize::Region,
            foreign_runs: false,
            trouble: None,
            receiver: Receiving::Always,
            receiver_answers: false,
            queued: false,
            lag: 0,
            jump: 1,
            patience: 30,
        }
    }

    /// Two objects for the audit log of two organisations, each with its own Secret. Both ask for the same window: one outage of the
    /// receiver hits all organisations alike.
    pub fn of_two_organizations() -> Self {
        let plan = |of| Plan { secret: of, slot: of, organization: true, ..PLAN };
        Self { organizations: vec![0, 1], receiver_answers: true, ..Self::new(vec![plan(0), plan(1)]) }
    }

    /// Two objects for two portals of one organisation, with one Secret. The window of the first expires first.
    pub fn of_two_portals() -> Self {
        Self::new((0..2).map(|of| Plan { slot: of, window: 1 - of, ..PLAN }).collect())
    }

    /// Two objects for one portal, each with its own Secret.
    pub fn of_two_secrets() -> Self {
        Self::new((0..2).map(|of| Plan { secret: of, window: of, ..PLAN }).collect())
    }

    pub fn with(self, trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..self }
    }

    pub fn slot(&self, of: Object) -> Slot {
        self.plans[of].slot
    }

    /// Whether what the webhook's endpoints say matters.
    pub fn has_webhooks(&self) -> bool {
        self.receiver_answers || matches!(self.trouble, Some(Trouble::WebhookOff(_)))
    }
}
