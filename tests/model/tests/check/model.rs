//! The model as stateright sees it.

use chrono::TimeDelta;
use stateright::Property;

use super::actions::Action;
use super::cluster::Statuses;
use super::flaw::Flaw;
use super::interner::Processes;
use super::judge::Breach;
use super::konnect::Questions;
use super::layout::Layout;
use super::process::Rules;
use super::time::{Tick, policy};
use super::world::World;

/// Who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One process, with a pass for each object at once.
    One,
    /// Two processes that know nothing of each other, over the same objects.
    TwoInstalls,
    /// One process, and another that takes over from it, whether or not it has ended.
    Takeover,
}

impl Setup {
    pub fn processes(self) -> usize {
        match self {
            Self::One => 1,
            Self::TwoInstalls | Self::Takeover => 2,
        }
    }
}

/// How far the world is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub objects: usize,
    /// Steps of the clock.
    pub horizon: Tick,
    /// Crashes, takeovers of a living process, lost and late answers, taken together.
    pub faults: u8,
    /// Runs that may fail.
    pub failures: u8,
    /// Requests of somebody else.
    pub outsider: u8,
    /// Whether they may come between a GET of ours and the PUT that is based on it.
    pub outsider_slips_in: bool,
    /// Objects that a user deletes.
    pub deletions: u8,
    /// Whether a fair schedule has to end from each state (I3).
    pub must_end: bool,
}

pub struct Model {
    pub setup: Setup,
    pub questions: Questions,
    pub bounds: Bounds,
    pub rules: Rules,
    pub processes: Processes,
}

impl Model {
    /// The objects are those of one portal.
    pub fn new(setup: Setup, questions: Questions, bounds: Bounds) -> Self {
        Self::of(Layout::of_one_portal(bounds.objects), setup, questions, bounds)
    }

    pub fn of(layout: Layout, setup: Setup, questions: Questions, bounds: Bounds) -> Self {
        let statuses = Statuses::of(layout.plans.clone());
        let bounds = Bounds { objects: layout.plans.len(), ..bounds };
        let rules = Rules { policy: policy(layout.serialize), statuses, layout, flaw: None };
        Self { setup, questions, bounds, rules, processes: Processes::default() }
    }

    pub fn with(mut self, flaw: Flaw) -> Self {
        self.rules.flaw = Some(flaw);
        self.rules.statuses.keeps_intent_times = flaw == Flaw::ComparesClocks;
        self.rules.statuses.one_secret = flaw == Flaw::ForgetsTheSecret;
        self
    }

    /// The second process has a clock of its own, four steps ahead: more than the settle time.
    pub fn ahead(process: usize) -> TimeDelta {
        if process == 1 { TimeDelta::seconds(40) } else { TimeDelta::zero() }
    }
}

impl stateright::Model for Model {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(self, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.after(action, self)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SENT_TWICE, |_, world: &World| world.breach != Some(Breach::SentTwice)),
            Property::always(MISCOUNTED, |_, world: &World| world.breach != Some(Breach::Miscounted)),
            Property::always(UNREAD, |_, world: &World| world.breach != Some(Breach::Unread)),
            Property::always(TWO_AT_ONCE, |_, world: &World| world.breach != Some(Breach::TwoAtOnce)),
            Property::always(ENDS, super::fair::ends),
            Property::always(SPREADS, super::fair::others_end),
            Property::always(ENDLESS, |_, world: &World| {
                world.objects.iter().all(|version| version.number <= MOST_WRITES)
            }),
            Property::always(END_CHANGED, |_, world: &World| world.breach != Some(Breach::EndChanged)),
            Property::always(FALSELY_FAILED, |_, world: &World| world.breach != Some(Breach::FalselyFailed)),
            Property::always(FALSELY_COMPLETE, |_, world: &World| world.breach != Some(Breach::FalselyComplete)),
        ]
    }
}

/// Status writes of one object. More than any life within the bounds needs.
pub const MOST_WRITES: u32 = 40;

pub const SENT_TWICE: &str = "I1: a window is sent again only if its run is not under way and has not completed";
pub const MISCOUNTED: &str = "I1: a try counts against a limit only for what has happened";
pub const UNREAD: &str = "I2: no PUT unless a GET at most 10 s old showed the target free";
pub const TWO_AT_ONCE: &str = "I2: never two runs of ours at once on a target";
pub const ENDS: &str = "I3: once faults end, every job ends in bounded time, then never changes";
pub const SPREADS: &str = "I6: what is out of order for one job keeps no other from its end";
pub const FALSELY_FAILED: &str = "I5: StartingDeadlineExceeded only if nothing is under way";
pub const ENDLESS: &str = "I3: a status is not written without end";
pub const END_CHANGED: &str = "I4: Complete and Failed exclude each other and stay";
pub const FALSELY_COMPLETE: &str = "I5: Complete only after completed was read for our window, or it says how";
