//! Many waiting in one lane.

use std::time::{Duration, Instant};

use chrono::Utc;
use konnect_emulator::Status;

use crate::args::Args;
use crate::load::{Field, Konnect, Sight, between, job};
use crate::measure::Samples;
use crate::operator::Operator;
use crate::stage::Stage;
use crate::table::{Table, megabytes, time};

/// A run is looked at each poll interval (15 s) when it is four times as old.
const OLD: Duration = Duration::from_secs(65);
/// Objects that come when many wait already.
const LATECOMERS: usize = 100;
/// How long after the end of a run is watched who wakes up.
const AFTER: Duration = Duration::from_secs(10);

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    let mut calls = Vec::new();
    let most = args.queued.iter().copied().max().unwrap_or_default();
    for &waiting in &args.queued {
        let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
        konnect.emulator.set_manual(&konnect.portals[0], true).unwrap();
        let field = Field::new(stage, &format!("queue-{waiting}"), 1).await;
        let sight = field.watch().await;
        let operator = stage.operator(&field.name, &konnect).logging_steps().start().ready().await;
        fill(&field, &konnect, &sight, waiting, &operator, table).await;
        calls.push(while_one_runs(stage, args, &konnect, waiting, &operator, table).await);
        if waiting == most {
            latecomers(&field, &sight, waiting, table).await;
            one_finishes(stage, &konnect, waiting, &operator, table).await;
        }
    }
    let (least, most) = (calls.iter().min(), calls.iter().max());
    let flat = least.zip(most).is_some_and(|(least, most)| most - least <= 1);
    let sizes = args.queued.iter().map(ToString::to_string).collect::<Vec<_>>().join(" / ");
    table.judged(format!("Konnect calls, one lane, {sizes} waiting"), "the same", format!("{calls:?}"), flat);
}

/// One under way, all others behind it.
async fn fill(field: &Field, konnect: &Konnect, sight: &Sight, waiting: usize, operator: &Operator, table: &mut Table) {
    field.create(&job("first", 0, 0)).await;
    konnect.put(0, 0).await;
    let (began, cpu) = (Instant::now(), operator.cpu());
    field.create_all((1..=waiting).map(|place| job(&format!("waiting-{place:06}"), 0, place))).await;
    let created = began.elapsed();
    sight.reasons(waiting + 1).await;
    let told = began.elapsed();
    operator.at_rest().await;
    table.noted(
        format!("{waiting} created; all told that they wait; CPU for it; resident"),
        format!(
            "{}; {}; {}; {}",
            time(created),
            time(told),
            time(operator.cpu_since(cpu)),
            megabytes(operator.memory().resident)
        ),
    );
    tokio::time::sleep(OLD.saturating_sub(began.elapsed())).await;
}

async fn while_one_runs(
    stage: &Stage,
    args: &Args,
    konnect: &Konnect,
    waiting: usize,
    operator: &Operator,
    table: &mut Table,
) -> usize {
    let (mark, calls, cpu) = (stage.mark(), konnect.emulator.calls().len(), operator.cpu());
    operator.forget_log();
    tokio::time::sleep(args.watch).await;
    let calls = konnect.emulator.calls().len() - calls;
    let requests = stage.requests(mark);
    table.judged(
        format!("{waiting} waiting while one runs, {} s: writes; passes of those who wait; CPU", args.watch.as_secs()),
        "0 writes",
        format!(
            "{}; {}; {}",
            requests.writes(),
            operator.lines_with("\"step\":\"take turn\""),
            time(operator.cpu_since(cpu))
        ),
        requests.writes() == 0,
    );
    calls
}

async fn latecomers(field: &Field, sight: &Sight, waiting: usize, table: &mut Table) {
    let mut told = Vec::new();
    for n in 0..LATECOMERS {
        let name = format!("late-{n:03}");
        field.create(&job(&name, 0, waiting + 1 + n)).await;
        let created = Utc::now();
        told.push(between(created, sight.wait(&name, |seen| seen.reason).await));
    }
    let told = Samples::of(told);
    let met = told.p99() <= Duration::from_secs(2);
    table.judged(format!("created to a visible reason, {waiting} queued"), "p99 2 s", told.to_string(), met);
}

async fn one_finishes(stage: &Stage, konnect: &Konnect, waiting: usize, operator: &Operator, table: &mut Table) {
    operator.at_rest().await;
    let mark = stage.mark();
    operator.forget_log();
    konnect.emulator.advance(&konnect.portals[0], Status::Completed).unwrap();
    konnect.put(0, 1).await;
    tokio::time::sleep(AFTER).await;
    let (woken, requests) = (operator.lines_with("\"step\":\"take turn\""), stage.requests(mark));
    table.judged(
        format!("{waiting} waiting, one finishes: wake-ups; writes"),
        "1; under 10",
        format!("{woken}; {} ({requests})", requests.status_writes()),
        woken == 1 && requests.status_writes() < 10,
    );
}
