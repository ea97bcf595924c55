//! A Konnect that rounds windows to minutes or hours. Nothing promises that a job shows exactly what was asked for: what is shown
//! by the answer to our own request is how our run is known from then on.

use konnect_emulator::{Granularity, Rounding, Unit};

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
