//! A Konnect that rounds windows to minutes or hours. Nothing promises that a job shows exactly what was asked for: what is shown
//! by the answer to our own request is how our run is known from then on. An answer that shows nothing leaves what a window can have
//! been rounded to.

use konnect_emulator::{Action, Fault, Granularity, Lag, PathKind, PutAnswer, Rounding, Unit, UpdatedAt};

use super::{each_ends_as_it_must, row, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_comes_back_in_whole_minutes_or_hours_is_sent_once() {
    let world = world().await;
    let rows = vec![
        row("floor-of-minutes", |behaviour| behaviour.granularity.unit = Unit::Minute),
        row("floor-of-hours", |behaviour| behaviour.granularity.unit = Unit::Hour),
        row("ceiling-of-minutes", |behaviour| {
            behaviour.granularity =
                Granularity { unit: Unit::Minute, start: Rounding::Ceiling, end: Rounding::Ceiling };
        }),
        row("ceiling-of-hours", |behaviour| {
            behaviour.granularity = Granularity { unit: Unit::Hour, start: Rounding::Ceiling, end: Rounding::Ceiling };
        }),
        row("outward-to-hours", |behaviour| {
            behaviour.granularity = Granularity { unit: Unit::Hour, start: Rounding::Floor, end: Rounding::Ceiling };
        }),
        row("outward-to-minutes", |behaviour| {
            behaviour.granularity = Granularity { unit: Unit::Minute, start: Rounding::Floor, end: Rounding::Ceiling };
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rounded_window_whose_request_showed_no_job_is_sent_once() {
    let world = world().await;
    let rows = vec![
        row("minutes-and-an-empty-object", |behaviour| {
            behaviour.granularity.unit = Unit::Minute;
            behaviour.put_answer = PutAnswer::Empty;
        }),
        row("hours-up-and-no-body", |behaviour| {
            behaviour.granularity = Granularity { unit: Unit::Hour, start: Rounding::Ceiling, end: Rounding::Ceiling };
            behaviour.put_answer = PutAnswer::Nothing;
        }),
        row("minutes-and-the-old-job", |behaviour| {
            behaviour.granularity.unit = Unit::Minute;
            behaviour.put_answer = PutAnswer::Old;
        }),
        row("minutes-an-empty-object-and-no-updated-at", |behaviour| {
            behaviour.granularity.unit = Unit::Minute;
            (behaviour.put_answer, behaviour.updated_at) = (PutAnswer::Empty, UpdatedAt::Missing);
        }),
        row("minutes-no-body-and-two-replicas", |behaviour| {
            behaviour.granularity.unit = Unit::Minute;
            behaviour.put_answer = PutAnswer::Nothing;
            behaviour.get_lag = vec![Lag::Changes(0), Lag::Changes(1)];
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rounded_window_whose_answer_is_lost_is_sent_once() {
    let world = world().await;
    let rows = vec![
        row("minutes-and-a-lost-answer", |behaviour| behaviour.granularity.unit = Unit::Minute),
        row("hours-and-a-lost-answer", |behaviour| behaviour.granularity.unit = Unit::Hour),
    ];
    let lost = |world: &crate::support::World, target: &konnect_emulator::TargetKey| {
        let konnect_emulator::Scope::Portal(portal) = &target.scope else { panic!("{target:?}") };
        let cut = Fault::new(Action::CutAfter).portal(portal).method("PUT").path(PathKind::ReplayJob).times(1);
        world.emulator.add_fault(cut);
    };
    each_ends_as_it_must(&world, rows, lost).await;
}
