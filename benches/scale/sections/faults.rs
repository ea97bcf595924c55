//! Lasting trouble, with intervals sixty times shorter than those shipped, so that a minute stands for an hour.

use std::time::Duration;

use control_plane::proxy::{Calls, Fault as KubeFault, FaultProxy, Verb};
use konnect_emulator::{Action, Fault};

use crate::args::Args;
use crate::load::{Field, Konnect, job};
use crate::operator::Operator;
use crate::stage::{Stage, Start};
use crate::table::{Table, megabytes};

const LANES: usize = 10;
const OBJECTS: usize = 100;
/// How much memory may grow for what is only trouble.
const FLAT: u64 = 2_000_000;
/// Tries of one write within a minute: after 0, 1, 3, 7, 15 and 31 seconds, and one more for good measure.
const TRIES: usize = 7;

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    conflicts(stage, args, table).await;
    konnect_down(stage, args, table).await;
    apiserver_at_its_limit(stage, args, table).await;
}

fn sixty_times_faster(start: Start<'_>) -> Start<'_> {
    start.flag("--retry-interval=1s").flag("--poll-interval=250ms")
}

/// In units of the retry interval, which is a minute as shipped.
fn minutes(args: &Args) -> usize {
    args.watch.as_secs() as usize
}

async fn fill(field: &Field, lanes: usize, objects: usize) {
    field.create_all((0..objects).map(|n| job(&format!("job-{n:03}"), n % lanes, n / lanes))).await;
}

async fn conflicts(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
    konnect.emulator.add_fault(Fault::new(Action::status(409)).method("PUT"));
    let field = Field::new(stage, "conflicts", 1).await;
    let sight = field.watch().await;
    let operator = sixty_times_faster(stage.operator(&field.name, &konnect)).start().ready().await;
    fill(&field, 1, OBJECTS).await;
    sight.reasons(OBJECTS).await;
    let growth = Growth::from(&operator).await;
    let (mark, puts, calls) = (stage.mark(), konnect.puts().len(), konnect.emulator.calls().len());
    tokio::time::sleep(args.watch).await;
    let (puts, calls) = (konnect.puts().len() - puts, konnect.emulator.calls().len() - calls);
    let (minutes, requests) = (minutes(args), stage.requests(mark));
    let writes = requests.status_writes();
    table.judged(
        format!("{minutes} retry intervals of 409, {OBJECTS} waiting: PUTs; other calls; status writes; memory"),
        "one PUT and one write an interval; flat",
        format!("{puts}; {}; {writes}; {} ({requests})", calls - puts, growth.told(&operator)),
        puts <= minutes + 1 && writes <= minutes + 2 && growth.is_flat(&operator),
    );
    table.noted(
        "status writes of a job under lasting 409, per minute as shipped",
        format!("{:.2}", writes as f64 / minutes as f64),
    );
}

async fn konnect_down(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(LANES, Duration::from_secs(1)).await;
    konnect.emulator.add_fault(Fault::new(Action::status(503)));
    let field = Field::new(stage, "down", LANES).await;
    let sight = field.watch().await;
    let operator = sixty_times_faster(stage.operator(&field.name, &konnect)).start().ready().await;
    fill(&field, LANES, OBJECTS).await;
    sight.reasons(OBJECTS).await;
    let growth = Growth::from(&operator).await;
    let (mark, calls) = (stage.mark(), konnect.emulator.calls().len());
    tokio::time::sleep(args.watch).await;
    let (calls, requests, minutes) = (konnect.emulator.calls().len() - calls, stage.requests(mark), minutes(args));
    table.judged(
        format!("{minutes} retry intervals of 503, {LANES} lanes, {OBJECTS} objects: calls; status writes; memory"),
        "a look an interval and lane; no write; flat",
        format!("{calls}; {}; {} ({requests})", requests.status_writes(), growth.told(&operator)),
        // Jitter shortens an interval by up to a fifth.
        calls <= (minutes + 1) * LANES * 5 / 4 && requests.status_writes() <= 2 && growth.is_flat(&operator),
    );
}

async fn apiserver_at_its_limit(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(LANES, Duration::from_millis(100)).await;
    let proxy = FaultProxy::start(&stage.plane).await.unwrap();
    let field = Field::new(stage, "limit", LANES).await;
    let sight = field.watch().await;
    let operator = stage.operator(&field.name, &konnect).through(&proxy).start().ready().await;
    let writes = Calls::any().verb(Verb::Patch).resource("auditlogreplayjobs");
    let limit = proxy.fault(writes, KubeFault::AnswerRetryAfter(429, 1));
    fill(&field, LANES, OBJECTS).await;
    let growth = Growth::from(&operator).await;
    tokio::time::sleep(args.watch.min(Duration::from_mins(1))).await;
    let (tries, flat, told) = (proxy.hits(limit), growth.is_flat(&operator), growth.told(&operator));
    let puts = konnect.puts().len();
    proxy.release(limit);
    sight.complete(OBJECTS).await;
    table.judged(
        format!("a minute of 429 from the apiserver, {OBJECTS} objects: tries; requests to Konnect; memory; then"),
        "7 tries an object; none; flat; all Complete",
        format!("{tries}; {puts}; {told}; all Complete"),
        tries <= OBJECTS * TRIES && puts == 0 && flat,
    );
}

/// Memory from when trouble has begun on.
struct Growth(u64);

impl Growth {
    async fn from(operator: &Operator) -> Self {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Self(operator.memory().resident)
    }

    fn is_flat(&self, operator: &Operator) -> bool {
        operator.memory().resident <= self.0 + FLAT
    }

    fn told(&self, operator: &Operator) -> String {
        format!("{} to {}", megabytes(self.0), megabytes(operator.memory().resident))
    }
}
