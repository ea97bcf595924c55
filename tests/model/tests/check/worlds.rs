//! The same invariants in worlds of several organisations, Secrets and lanes, with deletion, deadlines, and something that stays out of
//! order for as long as it likes.

use konnect_replay_model::api::KonnectApiVersion;
use konnect_replay_model::replay::Serialize;

use super::holds::{BOUNDS, QUESTIONS, explore_all};
use super::konnect::{Questions, Window};
use super::layout::{Layout, PLAN, Plan, Receiving, Trouble};
use super::model::{Bounds, Model, Setup};
use super::time::Tick;

/// Explores one process in a world, and says how many states there are.
fn explore(what: &str, layout: Layout, bounds: Bounds) -> usize {
    explore_all(what, Model::of(layout, Setup::One, QUESTIONS, bounds))
}

#[test]
fn two_organisations_replay_one_window_each_for_itself() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    assert_eq!(explore("two organisations", Layout::of_two_organizations(), bounds), 0);
}

#[test]
fn whatever_is_out_of_order_in_one_organisation_holds_up_no_other() {
    let bounds = Bounds { horizon: 1, ..BOUNDS };
    let troubles = [
        Trouble::PutUnavailable(0),
        Trouble::PutConflict(0),
        Trouble::Hangs(0),
        Trouble::Unavailable(0),
        Trouble::WebhookOff(0),
        Trouble::Denied(0),
    ];
    let states = troubles.map(|trouble| {
        let layout = Layout { queued: true, ..Layout::of_two_organizations().with(trouble) };
        explore("one of two organisations", layout, bounds)
    });
    assert_eq!(states, [0; 6]);
}

#[test]
fn two_secrets_share_one_portal() {
    let bounds = Bounds { horizon: 2, faults: 1, ..BOUNDS };
    assert_eq!(explore("two Secrets on one portal", Layout::of_two_secrets(), bounds), 0);
}

#[test]
fn two_portals_run_side_by_side() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    let layout = Layout { serialize: Serialize::Portal, ..Layout::of_two_portals() };
    let both = [false, true].map(|q2_region| {
        let questions = Questions { q2_region, ..QUESTIONS };
        explore_all("two lanes", Model::of(layout.clone(), Setup::One, questions, bounds))
    });
    assert_eq!(both, [0, 0]);
}

#[test]
fn an_object_is_deleted_at_any_moment() {
    let layout = Layout { lag: 1, ..Layout::of_one_portal(2) };
    let bounds = Bounds { deletions: 1, ..BOUNDS };
    let states = [Bounds { horizon: 3, ..bounds }, Bounds { horizon: 1, faults: 1, ..bounds }]
        .map(|bounds| explore("deletion", layout.clone(), bounds));
    assert_eq!(states, [0, 0]);
}

#[test]
fn deadlines_pass_at_any_moment() {
    let plan = Plan { starts_within: Some(70), active_for: Some(10), ..PLAN };
    let layout = Layout { lag: 1, ..Layout::new(vec![plan, Plan { window: 1, ..PLAN }]) };
    let bounds = Bounds { horizon: 5, ..BOUNDS };
    assert_eq!(explore("deadlines", layout, bounds), 0);
}

#[test]
fn deadlines_end_what_puts_that_fail_keep_waiting() {
    let plan = Plan { starts_within: Some(70), active_for: Some(10), ..PLAN };
    for trouble in [Trouble::PutUnavailable(0), Trouble::PutConflict(0)] {
        let layout = Layout::new(vec![plan]).with(trouble);
        let bounds = Bounds { horizon: 5, faults: 1, ..BOUNDS };
        assert_eq!(explore("deadlines and PUTs that fail", layout, bounds), 0);
    }
}

#[test]
fn whatever_fails_at_one_portal_holds_up_no_other_portal_of_its_lane() {
    let puts = [Trouble::PutUnavailable(0), Trouble::PutConflict(0)];
    let calls = [Trouble::Unavailable(0), Trouble::WebhookOff(0)];
    let explore = |horizon: Tick, trouble: Trouble| {
        explore("one lane", Layout::of_two_portals().with(trouble), Bounds { horizon, ..BOUNDS })
    };
    assert_eq!(puts.map(|trouble| explore(4, trouble)), [0, 0]);
    assert_eq!(calls.map(|trouble| explore(2, trouble)), [0, 0]);
}

#[test]
fn what_one_token_version_or_policy_finds_holds_up_no_other() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    let states = what_one_finds().map(|layout| explore("one finds", layout, bounds));
    assert_eq!(states, [0, 0, 0]);
}

/// The wrong token, the wrong version of the API, and a webhook that is off for one that needs it, at one portal.
pub fn what_one_finds() -> [Layout; 3] {
    let of = |first: Plan, second: Plan, trouble: Trouble| {
        Layout { queued: true, ..Layout::new(vec![Plan { window: 1, ..first }, second]).with(trouble) }
    };
    let (v2, v3) = (KonnectApiVersion::V2, KonnectApiVersion::V3);
    [
        of(PLAN, Plan { secret: 1, ..PLAN }, Trouble::UnknownToToken(0, 0)),
        of(Plan { version: v2, ..PLAN }, Plan { version: v3, ..PLAN }, Trouble::UnknownUnder(0, v2)),
        of(PLAN, Plan { ignores_webhook: true, ..PLAN }, Trouble::WebhookOff(0)),
    ]
}

/// A world of hours, in which a run goes on for ever, or the token of its job is refused.
pub fn hours(layout: Layout) -> Layout {
    Layout { jump: 120, ..layout }
}

#[test]
fn a_run_of_which_nothing_is_heard_for_an_hour_holds_up_neither_its_target_nor_its_lane() {
    let bounds = Bounds { horizon: 600, ..BOUNDS };
    let questions = Questions { q2_region: false, ..QUESTIONS };
    let unread = hours(Layout::of_two_secrets().with(Trouble::Denied(0)));
    let hangs = hours(Layout::of_two_portals().with(Trouble::Hangs(0)));
    let states =
        [unread, hangs].map(|layout| explore_all("hours", Model::of(layout, Setup::One, questions, bounds)));
    assert_eq!(states, [0, 0]);
}

/// Somebody else's run hangs at one portal, for which a job waits; two other jobs of the lane are for another portal.
pub fn behind_a_foreign_run() -> Layout {
    let plans = vec![Plan { window: 2, ..PLAN }, Plan { slot: 1, window: 1, ..PLAN }, Plan { slot: 1, ..PLAN }];
    Layout { foreign_runs: true, queued: true, patience: 20, ..Layout::new(plans).with(Trouble::Hangs(0)) }
}

#[test]
fn a_foreign_run_that_hangs_at_one_portal_holds_up_no_other_portal_of_its_lane() {
    let questions = Questions { q2_region: false, ..QUESTIONS };
    let bounds = Bounds { horizon: 1, ..BOUNDS };
    let model = Model::of(behind_a_foreign_run(), Setup::One, questions, bounds);
    assert_eq!(explore_all("a foreign run", model), 0);
}

/// Two jobs of one portal, of which the second asks for the same window, or for one that begins and ends 50 s later.
pub fn duplicates(window: usize, receiver: Receiving) -> Layout {
    Layout { receiver, receiver_answers: true, ..Layout::new(vec![PLAN, Plan { window, ..PLAN }]) }
}

#[test]
fn a_job_is_skipped_only_for_what_was_delivered_to_the_destination_of_today() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    let states = [Receiving::AtLast, Receiving::Elsewhere].map(|receiver| {
        [0, Window::SHIFTED].map(|window| explore("duplicates", duplicates(window, receiver), bounds))
    });
    assert_eq!(states, [[0, 0], [0, 0]]);
}

#[test]
fn a_leader_of_two_secrets_is_followed_by_another() {
    let bounds = Bounds { horizon: 1, faults: 1, ..BOUNDS };
    let model = Model::of(Layout::of_two_secrets(), Setup::Takeover, QUESTIONS, bounds);
    assert_eq!(explore_all("takeover", model), 83_516);
}

#[test]
#[ignore = "trial"]
fn trial_deletion_two_secrets() {
    let bounds = Bounds { horizon: 3, deletions: 1, ..BOUNDS };
    explore("deletion, two Secrets", Layout { lag: 1, queued: true, ..Layout::of_two_secrets() }, bounds);
}
#[test]
#[ignore = "trial"]
fn trial_deletion_crash_queued() {
    let bounds = Bounds { horizon: 2, faults: 1, deletions: 1, ..BOUNDS };
    explore("deletion, crash, queued", Layout { lag: 1, queued: true, ..Layout::of_one_portal(2) }, bounds);
}
#[test]
#[ignore = "trial"]
fn trial_deletion_takeover() {
    let bounds = Bounds { horizon: 1, faults: 1, deletions: 1, ..BOUNDS };
    let layout = Layout { lag: 1, queued: true, ..Layout::of_one_portal(2) };
    explore_all("deletion, takeover", Model::of(layout, Setup::Takeover, QUESTIONS, bounds));
}
#[test]
#[ignore = "trial"]
fn trial_deadlines_crash() {
    let plan = Plan { starts_within: Some(70), active_for: Some(10), window: 1, ..PLAN };
    let layout = Layout { lag: 1, queued: true, ..Layout::new(vec![plan, PLAN]) };
    explore("deadlines, crash", layout, Bounds { horizon: 3, faults: 1, ..BOUNDS });
}
#[test]
#[ignore = "trial"]
fn trial_deadlines_outsider() {
    let plan = Plan { starts_within: Some(70), active_for: Some(10), ..PLAN };
    let layout = Layout { lag: 1, ..Layout::new(vec![plan]) };
    explore("deadlines, outsider", layout, Bounds { horizon: 4, faults: 1, failures: 1, outsider: 1, ..BOUNDS });
}
