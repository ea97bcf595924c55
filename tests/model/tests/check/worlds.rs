//! The same invariants in worlds of several organisations, Secrets and lanes, with deletion, deadlines, and something that stays out of
//! order for as long as it likes.

use konnect_replay_core::api::KonnectApiVersion;
use konnect_replay_core::replay::Serialize;

use super::flaw::Flaw;
use super::holds::{BOUNDS, QUESTIONS, explore_all};
use super::konnect::{Questions, Window};
use super::layout::{Layout, PLAN, Plan, Receiving, Trouble};
use super::model::{Bounds, Model, Setup};

/// Explores one process in a world, and says how many states there are.
fn explore(what: &str, layout: Layout, bounds: Bounds) -> usize {
    explore_all(what, Model::of(layout, Setup::One, QUESTIONS, bounds))
}

#[test]
fn two_organisations_replay_one_window_each_for_itself() {
    let bounds = Bounds { horizon: 3, ..BOUNDS };
    assert_eq!(explore("two organisations", Layout::of_two_organizations(), bounds), 58_809);
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
    assert_eq!(states, [12_922, 14_875, 12_180, 15_252, 14_062, 16_962]);
}

#[test]
fn two_secrets_share_one_portal() {
    let bounds = Bounds { horizon: 2, faults: 1, ..BOUNDS };
    let layout = Layout { lag: 1, ..Layout::of_two_secrets() };
    assert_eq!(explore("two Secrets on one portal", layout, bounds), 52_804);
}

#[test]
fn two_portals_run_side_by_side() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    let layout = Layout { serialize: Serialize::Portal, ..Layout::of_two_portals() };
    let both = [false, true].map(|q2_region| {
        let questions = Questions { q2_region, ..QUESTIONS };
        explore_all("two lanes", Model::of(layout.clone(), Setup::One, questions, bounds))
    });
    assert_eq!(both, [17_302, 24_452]);
}

#[test]
fn an_object_is_deleted_at_any_moment() {
    let layout = Layout { lag: 1, ..Layout::of_one_portal(2) };
    let bounds = Bounds { deletions: 1, ..BOUNDS };
    let secrets = Layout { lag: 1, ..Layout::of_two_secrets() };
    let states = [
        explore("deletion", layout.clone(), Bounds { horizon: 3, ..bounds }),
        explore("deletion, two Secrets", secrets, Bounds { horizon: 3, ..bounds }),
        explore("deletion, a fault", layout, Bounds { horizon: 1, faults: 1, ..bounds }),
    ];
    assert_eq!(states, [49_571, 49_571, 115_023]);
}

const DEADLINES: Plan = Plan { starts_within: Some(70), active_for: Some(10), ..PLAN };

/// Two jobs of one portal, the first of them with both deadlines: 10 s after its start, and 10 s after that. A GET may lag for longer.
fn with_deadlines() -> Layout {
    Layout { lag: 1, ..Layout::new(vec![DEADLINES, Plan { window: 1, ..PLAN }]) }
}

#[test]
fn deadlines_pass_at_any_moment() {
    let alone = Layout { lag: 1, ..Layout::new(vec![DEADLINES]) };
    let disturbed = Bounds { faults: 1, failures: 1, outsider: 1, ..BOUNDS };
    let states = [
        explore("deadlines", with_deadlines(), Bounds { horizon: 5, ..BOUNDS }),
        explore("deadlines, an outsider", alone, Bounds { horizon: 3, ..disturbed }),
    ];
    assert_eq!(states, [25_292, 327_140]);
}

#[test]
fn deadlines_end_what_puts_that_fail_keep_waiting() {
    let bounds = Bounds { horizon: 5, faults: 1, ..BOUNDS };
    let states = [Trouble::PutUnavailable(0), Trouble::PutConflict(0)]
        .map(|trouble| explore("deadlines, PUTs fail", Layout::new(vec![DEADLINES]).with(trouble), bounds));
    assert_eq!(states, [24_097, 24_167]);
}

#[test]
fn whatever_fails_at_one_portal_holds_up_no_other_portal_of_its_lane() {
    let states = [(Trouble::PutUnavailable(0), 4), (Trouble::PutConflict(0), 4), (Trouble::WebhookOff(0), 2)].map(
        |(trouble, horizon)| explore("one lane", Layout::of_two_portals().with(trouble), Bounds { horizon, ..BOUNDS }),
    );
    assert_eq!(states, [29_425, 35_473, 6_899]);
}

#[test]
fn what_one_token_version_or_policy_finds_holds_up_no_other() {
    let bounds = Bounds { horizon: 2, ..BOUNDS };
    let states = what_one_finds().map(|layout| explore("one finds", layout, bounds));
    assert_eq!(states, [9_153, 12_174, 11_292]);
}

/// The wrong token, the wrong version of the API, and a webhook that is off for one that needs it, at one portal.
pub fn what_one_finds() -> [Layout; 3] {
    let of = |first: Plan, second: Plan, trouble: Trouble| Layout {
        queued: true,
        ..Layout::new(vec![Plan { window: 1, ..first }, second]).with(trouble)
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
    let bounds = Bounds { horizon: 360, ..BOUNDS };
    let questions = Questions { q2_region: false, ..QUESTIONS };
    let unread = hours(Layout::of_two_secrets().with(Trouble::Denied(0)));
    let hangs = hours(Layout::of_two_portals().with(Trouble::Hangs(0)));
    let silent = hours(Layout::of_two_portals().with(Trouble::Unavailable(0)));
    let states =
        [unread, hangs, silent].map(|layout| explore_all("hours", Model::of(layout, Setup::One, questions, bounds)));
    assert_eq!(states, [12_961, 5_595, 9_753]);
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
    assert_eq!(explore_all("a foreign run", model), 9_967);
}

/// Two jobs of one portal, of which the second asks for the same window, or for one that begins and ends 50 s later.
pub fn duplicates(window: usize, receiver: Receiving) -> Layout {
    Layout { receiver, receiver_answers: true, ..Layout::new(vec![PLAN, Plan { window, ..PLAN }]) }
}

#[test]
fn a_job_is_skipped_only_for_what_was_delivered_to_the_destination_of_today() {
    let bounds = Bounds { horizon: 3, ..BOUNDS };
    let states = [Receiving::AtLast, Receiving::Elsewhere]
        .map(|receiver| [0, Window::SHIFTED].map(|window| explore("duplicates", duplicates(window, receiver), bounds)));
    assert_eq!(states, [[8_978, 11_218], [5_534, 11_218]]);
}

#[test]
fn a_leader_of_two_secrets_is_followed_by_another() {
    let bounds = Bounds { horizon: 1, faults: 1, ..BOUNDS };
    let model = Model::of(Layout::of_two_secrets(), Setup::Takeover, QUESTIONS, bounds);
    assert_eq!(explore_all("takeover", model), 83_516);
}

/// Two jobs of one portal, a run that fails and shows no window then (Q6), and a GET that lags.
pub fn nameless_failures(flaw: Option<Flaw>) -> Model {
    let questions = Questions { q6_keeps: false, ..QUESTIONS };
    let bounds = Bounds { horizon: 3, failures: 1, ..BOUNDS };
    let model = Model::of(Layout { lag: 1, ..Layout::of_one_portal(2) }, Setup::One, questions, bounds);
    match flaw {
        Some(flaw) => model.with(flaw),
        None => model,
    }
}

#[test]
fn a_failure_that_shows_no_window_is_not_taken_for_that_of_the_next_run() {
    assert_eq!(explore_all("nameless failures", nameless_failures(None)), 11_177);
}

/// The larger bounds: `cargo test -p konnect-replay-model --test check -- --ignored --nocapture --test-threads 1`.
#[test]
#[ignore = "takes an hour"]
fn larger_worlds() {
    let takeover = Bounds { horizon: 1, faults: 1, deletions: 1, ..BOUNDS };
    let deletion = Layout { lag: 1, ..Layout::of_one_portal(2) };
    explore_all("deletion", Model::of(deletion.clone(), Setup::Takeover, QUESTIONS, takeover));
    let organizations = Bounds { horizon: 1, faults: 1, ..BOUNDS };
    explore_all("takeover", Model::of(Layout::of_two_organizations(), Setup::Takeover, QUESTIONS, organizations));
    let lanes = Layout { serialize: Serialize::Portal, ..Layout::of_two_portals() };
    let puts = Layout::of_two_portals().with(Trouble::PutUnavailable(0));
    for questions in Questions::every() {
        let explore = |what: &str, layout: &Layout, bounds: Bounds| {
            explore_all(what, Model::of(layout.clone(), Setup::One, questions, Bounds { failures: 1, ..bounds }));
        };
        explore("deletion", &deletion, Bounds { deletions: 1, horizon: 3, ..BOUNDS });
        explore("deadlines", &with_deadlines(), Bounds { horizon: 5, ..BOUNDS });
        explore("PUTs fail", &puts, Bounds { horizon: 3, ..BOUNDS });
        explore("two lanes", &lanes, Bounds { horizon: 2, ..BOUNDS });
        explore("two Secrets", &Layout { lag: 1, ..Layout::of_two_secrets() }, Bounds { horizon: 3, ..BOUNDS });
    }
}
