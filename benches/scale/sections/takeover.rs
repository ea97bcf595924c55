//! kill -9 of the leader.

use std::time::Duration;

use chrono::Utc;

use crate::load::{Field, Konnect, between, job};
use crate::measure::Samples;
use crate::stage::Stage;
use crate::table::Table;

const TAKEOVERS: usize = 3;
/// The lease of 15 s, its renewal interval of 2 s, and one second.
const TARGET: Duration = Duration::from_secs(18);

pub async fn run(stage: &Stage, table: &mut Table) {
    let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
    konnect.emulator.set_manual(&konnect.portals[0], true).unwrap();
    let field = Field::new(stage, "takeover", 1).await;
    let start = stage.operator(&field.name, &konnect).elected("takeover").flag("--poll-interval=1s");
    let mut leader = start.start();
    leader.logged("\"message\":\"leading\"").await;
    field.create(&job("under-way", 0, 0)).await;
    konnect.put(0, 0).await;
    let mut samples = Samples::default();
    for _ in 0..TAKEOVERS {
        let standby = start.start();
        standby.readyz().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        leader.kill();
        let killed = Utc::now();
        let poll = konnect
            .emulator
            .wait_for(TARGET * 4, |emulator| emulator.calls().into_iter().map(|call| call.at).find(|at| *at > killed));
        samples.add(between(killed, poll.await.unwrap()));
        leader = standby;
    }
    table.judged(
        "kill -9 of the leader to the next poll",
        "17 s + 1 s",
        samples.to_string(),
        samples.percentile(100) <= TARGET,
    );
}
