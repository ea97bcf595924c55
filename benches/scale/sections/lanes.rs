//! As many objects as the apiserver takes, in many lanes.

use std::time::{Duration, Instant};

use chrono::Utc;

use crate::args::Args;
use crate::load::{Field, Konnect, between, job, portal_id};
use crate::measure::Samples;
use crate::stage::Stage;
use crate::table::{Table, megabytes, time};

const PACE: Duration = Duration::from_millis(100);

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    let (lanes, objects) = (args.burst[0], args.burst[1]);
    let konnect = Konnect::with_lanes(lanes, PACE).await;
    let bare = Field::new(stage, "burst-bare", 0).await;
    let began = Instant::now();
    bare.create_all((0..objects).map(|n| job(&format!("job-{n:06}"), n % lanes, n / lanes))).await;
    let by_a_bare_client = began.elapsed();

    let field = Field::new(stage, "burst", lanes).await;
    let sight = field.watch().await;
    let operator = stage.operator(&field.name, &konnect).start().ready().await;
    let (cpu, mark) = (operator.cpu(), stage.mark());
    let began = Utc::now();
    field.create_all((0..objects).map(|n| job(&format!("job-{n:06}"), n % lanes, n / lanes))).await;
    let created = between(began, Utc::now());
    sight.complete(objects).await;
    let all = between(began, Utc::now());

    let mut first = Vec::new();
    for lane in 0..lanes {
        first.push(between(began, konnect.put(lane, 0).await));
    }
    let first = Samples::of(first);
    let in_order = (0..lanes).all(|lane| is_in_order(&konnect, lane));
    let each = objects.div_ceil(lanes);
    table.judged(
        format!("{objects} objects as fast as the apiserver takes them, {lanes} lanes: in order; no lane waits for another"),
        "all",
        format!(
            "{}; first PUT of a lane {first}; all Complete after {} ({} a job; creating took {}, bare {}; {} of CPU; {}; {} writes)",
            if in_order { "in order" } else { "out of order" },
            time(all),
            time(all / u32::try_from(each).unwrap()),
            time(created),
            time(by_a_bare_client),
            time(operator.cpu_since(cpu)),
            megabytes(operator.memory().resident),
            stage.requests(mark).status_writes(),
        ),
        // A lane that waited for another would begin when that one has ended a job, or all of them.
        in_order && first.percentile(100) < created + Duration::from_secs(2),
    );
}

/// Whether the windows of a lane were asked for in the order in which they expire, each once. The first is whichever the apiserver took
/// first.
fn is_in_order(konnect: &Konnect, lane: usize) -> bool {
    let puts = konnect.puts();
    let bodies: Vec<&str> =
        puts.iter().filter(|put| put.path.contains(&portal_id(lane))).map(|put| put.body.as_str()).collect();
    let starts: Vec<serde_json::Value> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    starts[1..].windows(2).all(|pair| pair[0]["start_at"].as_str() < pair[1]["start_at"].as_str())
}
