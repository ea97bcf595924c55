//! The invariants hold in every state within the bounds. How many states that are is asserted: a model that has shrunk by
//! mistake proves less, and fails here.

use std::time::Instant;

use stateright::{Checker, Model as _};

use super::konnect::{OnAccepted, Questions};
use super::model::{Bounds, ENDS, Model, SPREADS, Setup};

/// What is the same in all models that are checked with `cargo test`.
pub const BOUNDS: Bounds = Bounds {
    objects: 1,
    horizon: 5,
    faults: 0,
    failures: 0,
    outsider: 0,
    outsider_slips_in: false,
    deletions: 0,
    must_end: true,
};

/// One way to answer the questions: the one that allows most.
pub const QUESTIONS: Questions =
    Questions { q1: OnAccepted::Replaces, q2_region: true, q5_moves: true, q6_keeps: true };

/// How many states each combination has, in the order of [`Questions::every`]: one line for each answer to Q1.
#[rustfmt::skip]
const STATES: [usize; Questions::ALL] = [
    20_698, 25_759, 46_008, 59_384, 22_129, 27_764, 48_810, 63_663, 31_965, 44_144, 68_339, 95_179, 33_396, 46_149, 71_141, 99_458, 16_733, 20_928, 39_336, 50_911, 18_122, 22_891, 42_096, 55_148,
];

/// Explores all of it, and says how many states there are.
fn explore(setup: Setup, questions: Questions, bounds: Bounds) -> usize {
    explore_all("one portal", Model::new(setup, questions, bounds))
}

/// The same of any world.
pub fn explore_all(what: &str, model: Model) -> usize {
    let began = Instant::now();
    let (setup, questions) = (model.setup, model.questions);
    let checker = model.checker().threads(2).spawn_bfs().join();
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        let story = super::trace::told(checker.model(), path.clone());
        if property == ENDS {
            let goes_on = super::fair::told(checker.model(), path.last_state());
            panic!("{property}\n{story}\n and from there, without faults:\n{goes_on}");
        }
        if property == SPREADS {
            let goes_on = super::fair::told_of_others(checker.model(), path.last_state());
            panic!("{property}\n{story}\n and from there, with what is out of order:\n{goes_on}");
        }
        panic!("{property}\n{story}");
    }
    let (states, processes) = (checker.unique_state_count(), checker.model().processes.len());
    println!("{what}; {setup:?}; {questions}; {states} states, {processes} of a process, {:.1?}", began.elapsed());
    states
}

#[test]
fn one_process_loses_answers_writes_and_itself() {
    let bounds = Bounds { faults: 1, failures: 1, ..BOUNDS };
    assert_eq!(explore(Setup::One, QUESTIONS, bounds), 53_345);
}

#[test]
fn one_process_makes_two_passes_at_once() {
    let bounds = Bounds { objects: 2, ..BOUNDS };
    assert_eq!(explore(Setup::One, QUESTIONS, bounds), 17_949);
}

#[test]
fn one_process_beside_an_outsider_loses_answers_writes_and_itself() {
    let bounds = Bounds { faults: 1, failures: 1, outsider: 1, horizon: 2, ..BOUNDS };
    assert_eq!(explore(Setup::One, QUESTIONS, bounds), 81_876);
}

#[test]
fn two_installs_work_on_one_object() {
    assert_eq!(explore(Setup::TwoInstalls, QUESTIONS, BOUNDS), 36_411);
}

#[test]
fn a_leader_is_followed_by_another_and_does_not_know() {
    let bounds = Bounds { faults: 1, ..BOUNDS };
    assert_eq!(explore(Setup::Takeover, QUESTIONS, bounds), 83_510);
}

#[test]
fn a_leader_of_two_objects_is_followed_by_another() {
    let bounds = Bounds { objects: 2, faults: 1, horizon: 2, ..BOUNDS };
    assert_eq!(explore(Setup::Takeover, QUESTIONS, bounds), 192_948);
}

#[test]
fn each_combination_of_answers_to_the_open_questions() {
    let bounds = Bounds { failures: 1, outsider: 1, horizon: 4, ..BOUNDS };
    let states: Vec<usize> = Questions::every().map(|questions| explore(Setup::One, questions, bounds)).collect();
    assert_eq!(states.len(), Questions::ALL);
    assert_eq!(states, STATES);
}

/// The larger bound: `cargo test -p konnect-replay-model --test check -- --ignored --nocapture --test-threads 1`.
#[test]
#[ignore = "takes hours, and tens of GB of memory"]
fn larger_bounds() {
    let one = Bounds { horizon: 8, faults: 2, failures: 1, ..BOUNDS };
    explore(Setup::One, QUESTIONS, one);
    for questions in Questions::every() {
        explore(Setup::One, questions, Bounds { faults: 1, failures: 1, outsider: 1, ..BOUNDS });
        explore(Setup::Takeover, questions, Bounds { faults: 1, outsider: 1, ..BOUNDS });
    }
    explore(Setup::Takeover, QUESTIONS, Bounds { objects: 2, faults: 1, ..BOUNDS });
    explore(Setup::TwoInstalls, QUESTIONS, Bounds { faults: 1, ..BOUNDS });
}
