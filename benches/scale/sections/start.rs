//! From start to ready, and to leader.

use std::time::Duration;

use crate::args::Args;
use crate::load::{Field, Konnect};
use crate::measure::Samples;
use crate::stage::Stage;
use crate::table::Table;

const STARTS: usize = 10;

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
    let field = Field::new(stage, "start", 1).await;
    let (mut ready, mut leading) = (Samples::default(), Samples::default());
    for n in 0..STARTS.min(args.samples) {
        let operator = stage.operator(&field.name, &konnect).elected(&format!("start-{n}")).start();
        leading.add(operator.logged("\"message\":\"leading\"").await);
        ready.add(operator.readyz().await);
    }
    table.judged("start to ready (`/readyz`)", "1 s", ready.to_string(), ready.p99() <= Duration::from_secs(1));
    table.judged(
        "start to leader, no other replica",
        "3 s",
        leading.to_string(),
        leading.p99() <= Duration::from_secs(3),
    );
}
