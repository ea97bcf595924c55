//! Each guard is needed: without it, a property is broken, and the shortest way there is printed. A model that misses this could
//! miss anything.

use stateright::{Checker, HasDiscoveries, Model as _};

use super::flaw::Flaw;
use super::konnect::{OnAccepted, Questions};
use super::model::{Bounds, ENDLESS, MISCOUNTED, Model, SENT_TWICE, Setup, TWO_AT_ONCE, UNREAD};

const BOUNDS: Bounds =
    Bounds { objects: 1, horizon: 5, faults: 1, failures: 0, outsider: 0, outsider_slips_in: false, deletions: 0, must_end: false };
const QUESTIONS: Questions = Questions { q1: OnAccepted::Replaces, q2_region: false, q5_moves: true, q6_keeps: true };

/// Asserts that `property` is what breaks, and prints how.
fn breaks(property: &str, what: &str, model: Model) {
    let checker = model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut discoveries: Vec<_> = checker.discoveries().into_iter().collect();
    assert_eq!(discoveries.len(), 1, "{what}: nothing breaks, or more than one thing");
    let (broken, path) = discoveries.remove(0);
    println!("{what} breaks\n{broken}\n{}\n", super::trace::told(checker.model(), path));
    assert_eq!(broken, property, "{what}");
}

fn flawed(flaw: Flaw, setup: Setup, bounds: Bounds) -> Model {
    Model::new(setup, QUESTIONS, bounds).with(flaw)
}

#[test]
fn without_the_precondition_two_installs_send_one_window_twice() {
    let model = flawed(Flaw::NoPrecondition, Setup::TwoInstalls, Bounds { faults: 0, ..BOUNDS });
    breaks(SENT_TWICE, "a status write without resourceVersion", model);
}

#[test]
fn with_a_reading_that_never_ages_a_stopped_leader_sends_late() {
    breaks(UNREAD, "trusting a reading however old", flawed(Flaw::TrustsTheReading, Setup::Takeover, BOUNDS));
}

#[test]
fn sending_again_at_once_doubles_a_request_that_was_slow() {
    breaks(SENT_TWICE, "sending again blindly", flawed(Flaw::SendsAgainBlindly, Setup::One, BOUNDS));
}

#[test]
fn without_previous_a_request_that_was_lost_counts_as_superseded() {
    breaks(MISCOUNTED, "a record without previous", flawed(Flaw::ForgetsPrevious, Setup::One, BOUNDS));
}

#[test]
fn without_reservations_two_passes_send_at_once() {
    let bounds = Bounds { objects: 2, faults: 0, ..BOUNDS };
    breaks(TWO_AT_ONCE, "going without a turn", flawed(Flaw::SkipsReservation, Setup::One, bounds));
}

#[test]
fn comparing_clocks_ends_the_settle_time_before_it_began() {
    breaks(SENT_TWICE, "comparing two clocks", flawed(Flaw::ComparesClocks, Setup::Takeover, BOUNDS));
}

#[test]
fn without_a_note_of_what_a_refused_write_was_refused_for_a_watch_that_lags_makes_one_write_for_ever() {
    let bounds = Bounds { failures: 1, outsider: 1, horizon: 2, ..BOUNDS };
    breaks(ENDLESS, "forgetting refusals", flawed(Flaw::ForgetsRefusals, Setup::One, bounds));
}

#[test]
fn without_rest_a_new_leader_sends_while_the_old_ones_request_is_on_its_way() {
    let bounds = Bounds { objects: 2, ..BOUNDS };
    breaks(TWO_AT_ONCE, "taking over without rest", flawed(Flaw::DoesNotRest, Setup::Takeover, bounds));
}

/// No guard, but an assumption of README's: without it, not everything can hold.
#[test]
fn an_outsider_who_slips_in_can_break_what_is_promised() {
    let questions = Questions { q1: OnAccepted::Queues, q6_keeps: false, ..QUESTIONS };
    let bounds = Bounds { outsider: 1, failures: 1, outsider_slips_in: true, ..BOUNDS };
    breaks(SENT_TWICE, "an outsider between GET and PUT", Model::new(Setup::One, questions, bounds));
}

/// The same of two installs over two objects of one target: each is an outsider to the other.
#[test]
fn two_installs_without_election_can_run_two_objects_at_once() {
    let bounds = Bounds { objects: 2, faults: 0, ..BOUNDS };
    breaks(TWO_AT_ONCE, "two installs over one target", Model::new(Setup::TwoInstalls, QUESTIONS, bounds));
}
