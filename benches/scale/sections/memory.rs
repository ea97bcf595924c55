//! Memory with many finished objects, at start and when the watch has to list again, and what a restart costs.

use std::time::Duration;

use control_plane::proxy::{Calls, FaultProxy, Verb};

use crate::args::Args;
use crate::load::{Field, Konnect, finished_status};
use crate::operator::Operator;
use crate::stage::Stage;
use crate::table::{Table, megabytes, time};

/// Objects, and bytes resident at rest.
const TARGETS: [(usize, u64); 4] = [(0, 12_000_000), (1_000, 15_000_000), (10_000, 45_000_000), (50_000, 160_000_000)];
/// How long a restart may take, and with how many objects at most.
const STEADY: (Duration, usize) = (Duration::from_secs(3), 10_000);

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
    let status = finished_status(stage).await;
    let field = Field::new(stage, "memory", 1).await;
    let mut there = 0;
    for &objects in &args.finished {
        field.create_finished(there, objects, &status).await;
        there = there.max(objects);
        restart(stage, &field, &konnect, objects, table).await;
        list_again(stage, &field, &konnect, objects, table).await;
    }
}

/// The target at this many objects: that of the next size for which there is one.
fn target(objects: usize) -> u64 {
    TARGETS.iter().find(|(size, _)| objects <= *size).map_or(u64::MAX, |(_, bytes)| *bytes)
}

async fn restart(stage: &Stage, field: &Field, konnect: &Konnect, objects: usize, table: &mut Table) {
    let (mark, calls) = (stage.mark(), konnect.emulator.calls().len());
    // The first holder of a lease follows nobody, so it has nothing to repeat.
    let operator = stage.operator(&field.name, konnect).elected(&format!("memory-{objects}")).start().ready().await;
    let steady = operator.at_rest().await;
    let (requests, calls) = (stage.requests(mark), konnect.emulator.calls().len() - calls);
    let writes = requests.writes() - requests.of("create leases") - requests.of("update leases");
    resident(&operator, objects, table);
    table.judged(
        format!("restart with {objects} finished: writes; Konnect calls; steady after"),
        if objects <= STEADY.1 { "0; 0; 3 s" } else { "0; 0" },
        format!("{writes}; {calls}; {} ({} of CPU; {requests})", time(steady), time(operator.cpu())),
        writes == 0 && calls == 0 && (objects > STEADY.1 || steady <= STEADY.0),
    );
}

fn resident(operator: &Operator, objects: usize, table: &mut Table) {
    let memory = operator.memory();
    table.judged(
        format!("resident, {objects} objects, all finished"),
        megabytes(target(objects)),
        format!(
            "{} ({} anonymous; peak since start {})",
            megabytes(memory.resident),
            megabytes(memory.anonymous),
            megabytes(memory.peak)
        ),
        memory.resident <= target(objects),
    );
}

/// The watch is told that it is too old, which happens whenever it was cut off for some minutes.
async fn list_again(stage: &Stage, field: &Field, konnect: &Konnect, objects: usize, table: &mut Table) {
    let proxy = FaultProxy::start(&stage.plane).await.unwrap();
    let start = stage.operator(&field.name, konnect).elected(&format!("memory-{objects}-again")).through(&proxy);
    let operator = start.start().ready().await;
    operator.at_rest().await;
    let before = operator.memory();
    operator.forget_peak();
    let mark = stage.mark();
    let told = proxy.expire_watches(&Calls::any().verb(Verb::Watch).resource("auditlogreplayjobs"));
    assert_eq!(told, 1, "the operator has one watch");
    // An object of this field is not touched by it; only the list shows that it happened.
    while stage.requests(mark).of("watch") == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    operator.at_rest().await;
    let after = operator.memory();
    let ratio = after.peak as f64 / before.resident as f64;
    table.judged(
        format!("peak while {objects} objects are listed again, over resident before"),
        "1.5 times, or below the resident target times 1.5",
        format!(
            "{} = {ratio:.2} times {} (then {})",
            megabytes(after.peak),
            megabytes(before.resident),
            megabytes(after.resident)
        ),
        ratio <= 1.5 || after.peak <= target(objects) * 3 / 2,
    );
}
