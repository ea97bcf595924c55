//! The operator against each way in which Konnect may behave: what the object ends as, and how many runs there were.
//!
//! Each table runs side by side in one world, on a portal for each row.

mod answers;
mod deliveries;
mod event_lines;
mod fresh_ends;
mod puts_while_off;
mod rate_limits;
mod rounded_windows;
mod stuck;

use chrono::{SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Behaviour, Q2, Status, TargetKey};
use konnect_replay_core::api::ConditionType;

use crate::support::{JobBuilder, World, condition, is_true};

/// One behaviour, and what a job must make of it.
struct Row {
    name: &'static str,
    bend: fn(&mut Behaviour),
    ends: End,
}

/// What an object ends as. There is one run either way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Complete, and the events arrived once.
    Complete,
    /// Failed, because the one run that was allowed failed.
    Failed,
}

fn row(name: &'static str, bend: fn(&mut Behaviour)) -> Row {
    Row { name, bend, ends: End::Complete }
}

impl Row {
    fn fails(self) -> Self {
        Self { ends: End::Failed, ..self }
    }
}

/// A world in which portals do not disturb each other, and GET may be 2 s behind.
async fn world() -> World {
    World::builder()
        .flag("--serialize=portal")
        .flag("--concurrency=64")
        .flag("--get-lag=2s")
        .emulator(|options| options.q2 = Q2::Portal)
        .build()
        .await
}

fn portal_id(number: usize) -> String {
    format!("0d0f7b52-0000-4c39-9f3c-{number:012x}")
}

/// A job that may be sent once, for a window that is long enough to be one still after rounding cuts off some at both ends.
fn one_try(job: JobBuilder) -> JobBuilder {
    let now = Utc::now().trunc_subsecs(0);
    job.window(now - TimeDelta::hours(6), now - TimeDelta::hours(1)).spec(|spec| spec.backoff_limit = 0)
}

/// Every row on a portal of its own. `prepare` is what else is done to its target.
async fn each_ends_as_it_must(world: &World, rows: Vec<Row>, prepare: impl Fn(&World, &TargetKey)) {
    let prepare = &prepare;
    let each = rows.into_iter().enumerate().map(async |(number, row)| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        world.emulator.change_behaviour(&target, row.bend).unwrap();
        prepare(world, &target);
        let job = world.create(one_try(JobBuilder::portal(row.name, "eu", &portal))).await;
        let lost = world.lose(&target, &job, 2);
        ends(world, &target, &row, &lost).await;
    });
    futures::future::join_all(each).await;
}

async fn ends(world: &World, target: &TargetKey, row: &Row, lost: &[String]) {
    let job = world.wait(row.name, "Finished", |job| is_true(job, &ConditionType::Finished)).await;
    let runs = world.emulator.runs(target).unwrap();
    let arrived = world.receiver.events().into_iter().filter(|event| lost.contains(&event.trace_id)).count();
    let states = world.states(row.name);
    assert_eq!(runs.len(), 1, "{}: {runs:#?} {states:#?}", row.name);
    match row.ends {
        End::Complete => {
            assert!(is_true(&job, &ConditionType::Complete), "{}: {states:#?}", row.name);
            assert_eq!((&runs[0].status, arrived), (&Status::Completed, lost.len()), "{}: {runs:#?}", row.name);
        }
        End::Failed => {
            let failed = condition(&job, &ConditionType::Failed).unwrap();
            assert_eq!(failed.reason, "BackoffLimitExceeded", "{}: {states:#?}", row.name);
            assert_eq!((&runs[0].status, arrived), (&Status::Failed, 0), "{}: {runs:#?}", row.name);
        }
    }
}
