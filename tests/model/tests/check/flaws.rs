//! Each guard is needed: without it, a property is broken, and the shortest way there is printed. A model that misses this could
//! miss anything.

use stateright::{Checker, HasDiscoveries, Model as _};

use super::flaw::Flaw;
use super::konnect::{OnAccepted, Questions, Window};
use super::layout::{Layout, PLAN, Plan, Receiving, Trouble};
use super::model::{
    Bounds, ENDLESS, FALSELY_COMPLETE, MISCOUNTED, Model, SENT_TWICE, SPREADS, Setup, TWO_AT_ONCE, UNREAD,
};

const BOUNDS: Bounds = Bounds {
    objects: 1,
    horizon: 5,
    faults: 1,
    failures: 0,
    outsider: 0,
    outsider_slips_in: false,
    deletions: 0,
    must_end: false,
};
const QUESTIONS: Questions = Questions { q1: OnAccepted::Replaces, q2_region: false, q5_moves: true, q6_keeps: true };

/// Asserts that `property` is what breaks, and prints how.
fn breaks(property: &str, what: &str, model: Model) {
    let checker = model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut discoveries: Vec<_> = checker.discoveries().into_iter().collect();
    assert_eq!(discoveries.len(), 1, "{what}: nothing breaks, or more than one thing");
    let (broken, path) = discoveries.remove(0);
    println!("{what} breaks\n{broken}\n{}\n", super::trace::told(checker.model(), path.clone()));
    if broken == SPREADS {
        println!("and from there\n{}\n", super::fair::told_of_others(checker.model(), path.last_state()));
    }
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

/// A world and what stays out of order in it, in which `flaw` has to keep a job from its end, or make it end falsely.
fn flawed_in(layout: Layout, flaw: Flaw, bounds: Bounds) -> Model {
    let questions = Questions { q2_region: false, ..QUESTIONS };
    Model::of(layout, Setup::One, questions, bounds).with(flaw)
}

const FAIR: Bounds = Bounds { faults: 0, horizon: 3, must_end: true, ..BOUNDS };

/// F1: the organisation was no part of the target.
#[test]
fn without_the_secret_one_organisation_takes_the_replay_of_another_for_its_own() {
    let model = flawed_in(Layout::of_two_organizations(), Flaw::ForgetsTheSecret, Bounds { must_end: false, ..FAIR });
    breaks(FALSELY_COMPLETE, "telling no two Secrets apart", model);
}

/// F1, the reservation that two organisations shared.
#[test]
fn without_the_secret_one_organisation_waits_for_the_run_of_another() {
    let layout = Layout::of_two_organizations().with(Trouble::Hangs(0));
    breaks(SPREADS, "telling no two Secrets apart", flawed_in(layout, Flaw::ForgetsTheSecret, FAIR));
}

/// F2: what one token, version or policy found held up all others.
#[test]
fn sharing_what_one_token_version_or_policy_finds_starves_the_others() {
    for layout in super::worlds::what_one_finds() {
        breaks(SPREADS, "sharing what one job found", flawed_in(layout, Flaw::SharesWhatOneFound, FAIR));
    }
}

/// F3: a portal whose PUTs failed kept its lane.
#[test]
fn keeping_the_lane_after_a_put_that_failed_starves_the_other_portals() {
    for trouble in [Trouble::PutUnavailable(0), Trouble::PutConflict(0)] {
        let layout = Layout::of_two_portals().with(trouble);
        breaks(SPREADS, "keeping the lane", flawed_in(layout, Flaw::KeepsTheLane, FAIR));
    }
}

/// F4: what was refused, or went to another destination, counted as delivered.
#[test]
fn trusting_the_receiver_of_today_skips_what_was_never_delivered() {
    let bounds = Bounds { must_end: false, ..FAIR };
    for receiver in [Receiving::AtLast, Receiving::Elsewhere] {
        let model = flawed_in(super::worlds::duplicates(0, receiver), Flaw::TrustsTheReceiver, bounds);
        breaks(FALSELY_COMPLETE, "trusting the receiver of today", model);
    }
}

/// F5: windows up to 59 s apart counted as one.
#[test]
fn counting_windows_as_about_the_same_skips_seconds_that_were_never_sent() {
    let plans = vec![PLAN, Plan { window: Window::SHIFTED, ..PLAN }];
    let bounds = Bounds { must_end: false, ..FAIR };
    let layout = Layout { receiver_answers: true, ..Layout::new(plans) };
    let model = flawed_in(layout, Flaw::CountsAboutTheSame, bounds);
    breaks(FALSELY_COMPLETE, "windows that are about the same", model);
}

/// F7: a run that nobody could read any more kept its target.
#[test]
fn keeping_the_target_of_a_quiet_run_starves_another_secret() {
    let layout = super::worlds::hours(Layout::of_two_secrets().with(Trouble::Denied(0)));
    let bounds = Bounds { horizon: 360, ..FAIR };
    breaks(SPREADS, "keeping a quiet target", flawed_in(layout, Flaw::KeepsAQuietTarget, bounds));
}

/// F8: behind somebody else's run each job of the lane waited for as long as the first.
#[test]
fn patience_that_begins_anew_holds_up_every_job_of_the_lane() {
    let layout = super::worlds::behind_a_foreign_run();
    breaks(SPREADS, "patience that begins anew", flawed_in(layout, Flaw::BeginsPatienceAnew, FAIR));
}

#[test]
fn believing_a_failure_that_shows_no_window_sends_over_a_run_that_is_under_way() {
    let model = super::worlds::nameless_failures(Some(Flaw::BelievesNamelessFailures));
    breaks(TWO_AT_ONCE, "believing a failure without a window", model);
}

#[test]
fn without_the_reservation_of_what_is_gone_the_next_job_sends_over_its_request() {
    let layout = Layout { lag: 1, ..Layout::of_one_portal(2) };
    let bounds = Bounds { deletions: 1, must_end: false, ..FAIR };
    breaks(TWO_AT_ONCE, "forgetting what is deleted", flawed_in(layout, Flaw::ForgetsTheDeleted, bounds));
}

/// No guard, but what a Secret cannot tell: two Secrets of one organisation are two targets here, and only the GET protects them.
#[test]
fn two_secrets_of_one_organisation_can_run_two_jobs_at_once() {
    let plan = |secret| Plan { secret, window: secret, organization: true, ..PLAN };
    let layout = Layout::new(vec![plan(0), plan(1)]);
    let bounds = Bounds { must_end: false, ..FAIR };
    breaks(TWO_AT_ONCE, "two Secrets of one organisation", Model::of(layout, Setup::One, QUESTIONS, bounds));
}
