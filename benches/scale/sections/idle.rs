//! Requests while nothing happens.

use std::time::Duration;

use crate::args::Args;
use crate::load::{Field, Konnect, finished_status};
use crate::stage::Stage;
use crate::table::{Table, time};

const OBJECTS: usize = 1_000;
/// A renewal every two seconds.
const LEASE: f64 = 1_800.0;
/// A watch ends after 290 s at most, and is made anew.
const WATCHES: f64 = 3_600.0 / 290.0 * 2.0;

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    let konnect = Konnect::with_lanes(1, Duration::from_secs(1)).await;
    let status = finished_status(stage).await;
    let field = Field::new(stage, "idle", 1).await;
    field.create_finished(0, OBJECTS, &status).await;
    let operator = stage.operator(&field.name, &konnect).elected("idle").start().ready().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (mark, cpu) = (stage.mark(), operator.cpu());
    tokio::time::sleep(args.watch).await;
    let requests = stage.requests(mark);
    let an_hour = 3_600.0 / args.watch.as_secs_f64();
    let (leases, others) = (requests.of("update leases") as f64 * an_hour, requests.of("get leases") as f64 * an_hour);
    let jobs = ["get auditlog", "list auditlog", "watch auditlog", "get secrets"]
        .iter()
        .map(|kind| requests.of(kind))
        .sum::<usize>();
    table.judged(
        format!(
            "requests to Kubernetes in an idle hour, one replica, {OBJECTS} finished (from {} s)",
            args.watch.as_secs()
        ),
        "the lease's 1,800, and watches",
        format!(
            "{leases:.0} renewals, {others:.0} looks at the lease, {:.0} others ({requests})",
            jobs as f64 * an_hour
        ),
        leases + others <= LEASE * 1.05 && jobs as f64 * an_hour <= WATCHES.max(an_hour),
    );
    table.judged(
        "status writes per finished object and hour",
        "0",
        requests.status_writes().to_string(),
        requests.status_writes() == 0,
    );
    let used = operator.cpu_since(cpu).mul_f64(an_hour);
    table.noted("CPU in an idle hour", time(used));
}
