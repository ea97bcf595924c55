//! Every answer of Konnect that is no answer: the events arrive once wherever they can, from exactly one run.
//!
//! Each table runs side by side in one world, on a portal for each row, because a request of unknown outcome takes the
//! settle time (10 s and more) whatever the settings.

mod get;
mod odd;
mod put;
mod wire;

use chrono::{TimeDelta, Utc};
use konnect_emulator::{Action, Call, Fault, PathKind, Q2, Reply, TargetKey};

use crate::support::{JobBuilder, World};

/// What Konnect does to some requests of one portal.
#[derive(Clone)]
struct Row {
    name: &'static str,
    action: Action,
    times: u32,
    /// A reason that `Ready` must show meanwhile.
    shows: Option<&'static str>,
    /// Requests that must have been sent in the end.
    puts: usize,
}

fn row(name: &'static str, action: Action) -> Row {
    Row { name, action, times: 1, shows: None, puts: 1 }
}

impl Row {
    fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn shows(self, reason: &'static str) -> Self {
        Self { shows: Some(reason), ..self }
    }

    fn puts(self, puts: usize) -> Self {
        Self { puts, ..self }
    }

    fn fault(&self, method: &str, path: PathKind, portal: &str) -> Fault {
        Fault::new(self.action.clone()).method(method).path(path).portal(portal).times(self.times)
    }
}

fn reply(status: u16, body: &str, content_type: &str) -> Reply {
    Reply { status, body: Some(body.to_owned()), content_type: Some(content_type.to_owned()), ..Reply::default() }
}

fn answer(status: u16, body: &str) -> Action {
    Action::Answer(reply(status, body, "application/json"))
}

fn after_the_effect(status: u16) -> Action {
    Action::Answer(Reply { status, applied: true, ..Reply::default() })
}

fn redirect() -> Action {
    let headers = vec![("location".to_owned(), "/eu/elsewhere".to_owned())];
    Action::Answer(Reply { status: 302, headers, ..Reply::default() })
}

fn date_in(seconds: i64) -> String {
    (Utc::now() + TimeDelta::seconds(seconds)).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A world in which portals do not disturb each other.
async fn world() -> World {
    World::builder()
        .flag("--serialize=portal")
        .flag("--concurrency=64")
        .flag("--backoff-base=1s")
        .emulator(|options| options.q2 = Q2::Portal)
        .build()
        .await
}

fn portal_id(number: usize) -> String {
    format!("0d0f7b52-0000-4c39-9f3c-{number:012x}")
}

/// Konnect's calls of one portal's replay job.
fn calls(world: &World, portal: &str, method: &str) -> usize {
    let fits = |c: &&Call| c.method == method && c.path.contains(portal) && c.path.ends_with("replay-job");
    world.emulator.calls().iter().filter(fits).count()
}

/// The end that every row must come to.
async fn ends_well(world: &World, target: &TargetKey, portal: &str, row: &Row) {
    let done = world.wait_until_complete(row.name).await;
    let runs = world.emulator.runs(target).unwrap();
    assert_eq!((runs.len(), runs[0].events), (1, 1), "{}: {runs:#?}", row.name);
    assert_eq!(calls(world, portal, "PUT"), row.puts, "{}: requests", row.name);
    assert_eq!(done.status.unwrap().attempts, 1, "{}: accepted requests", row.name);
    if let Some(reason) = row.shows {
        assert!(world.reasons(row.name).iter().any(|r| r == reason), "{}: {:#?}", row.name, world.states(row.name));
    }
}

/// Runs a table whose faults are there from the beginning.
async fn from_the_beginning(world: &World, method: &str, path: PathKind, rows: Vec<Row>) {
    let count = rows.len();
    let each = rows.into_iter().enumerate().map(async |(number, row)| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        world.emulator.add_fault(row.fault(method, path, &portal));
        let job = world.create(JobBuilder::portal(row.name, "eu", &portal)).await;
        world.lose(&target, &job, 1);
        ends_well(world, &target, &portal, &row).await;
    });
    futures::future::join_all(each).await;
    every_event_came_once(world, count);
}

fn every_event_came_once(world: &World, count: usize) {
    assert_eq!((world.receiver.events().len(), world.receiver.duplicates()), (count, 0));
    let followed = world.emulator.calls().into_iter().find(|call| call.path.contains("elsewhere"));
    assert!(followed.is_none(), "a redirect was followed: {followed:?}");
    for job in world.history.all() {
        let conditions = serde_json::to_string(&job.status.unwrap_or_default().conditions).unwrap();
        assert!(!conditions.contains(":trace:"), "a trace id stands in a condition: {conditions}");
    }
}
