//! From creation to request, from Konnect's end to ours, from one job to the next; beside a bare client.

use std::time::Duration;

use chrono::Utc;

use crate::args::Args;
use crate::bare::Bare;
use crate::load::{Field, Konnect, Sight, between, job};
use crate::measure::Samples;
use crate::stage::Stage;
use crate::table::Table;

/// How long runs stay in each state.
const PACE: Duration = Duration::from_millis(600);
/// The same where only what comes before the run is measured.
const BRIEFLY: Duration = Duration::from_millis(50);
/// What is left of a job after it is Complete, such as an Event, is over by then.
const QUIET: Duration = Duration::from_millis(100);
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// Jobs that follow each other in one lane.
const IN_A_ROW: usize = 20;

pub async fn run(stage: &Stage, args: &Args, table: &mut Table) {
    to_the_request(stage, args, table).await;
    let konnect = Konnect::with_lanes(args.samples + 1, PACE).await;
    let field = Field::new(stage, "latency", args.samples + 1).await;
    let sight = field.watch().await;
    let _operator = stage.operator(&field.name, &konnect).start().ready().await;
    to_the_end(stage, args, &field, &konnect, &sight, table).await;
    from_job_to_job(args, &field, &konnect, &sight, table).await;
}

/// One job at a time, and between each two the same calls by a bare client: what else the machine does concerns both alike.
async fn to_the_request(stage: &Stage, args: &Args, table: &mut Table) {
    let (of_bare, of_ours) =
        (Field::new(stage, "bare", args.samples).await, Field::new(stage, "alone", args.samples).await);
    let (_watched, sight) = (of_bare.watch().await, of_ours.watch().await);
    let konnects = [Konnect::with_lanes(args.samples, BRIEFLY).await, Konnect::with_lanes(args.samples, BRIEFLY).await];
    let (client, [for_bare, for_ours]) = (Bare::new(), konnects);
    let _operator = stage.operator(&of_ours.name, &for_ours).start().ready().await;
    let (mut bare, mut sent, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for lane in 0..args.samples {
        let created = client.replay(stage, &of_bare, &for_bare, lane).await;
        bare.push(between(created, for_bare.put(lane, 0).await));

        let name = format!("job-{lane}");
        of_ours.create(&job(&name, lane, 0)).await;
        let created = Utc::now();
        sent.push(between(created, for_ours.put(lane, 0).await));
        told.push(between(created, sight.wait(&name, |seen| seen.reason).await));
        sight.wait(&name, |seen| seen.complete).await;
        tokio::time::sleep(QUIET).await;
    }
    let (bare, sent, told) = (Samples::of(bare), Samples::of(sent), Samples::of(told));
    let (half, most) = (ratio(sent.p50(), bare.p50()), ratio(sent.p99(), bare.p99()));
    table.judged(
        "created to PUT sent, free lane, over a bare client's same calls",
        "p50 1.3 times, p99 3 times",
        format!("p50 {half:.2} times, p99 {most:.2} times ({sent}; bare {bare})"),
        half <= 1.3 && most <= 3.0,
    );
    table.judged(
        "created to a visible reason, free lane",
        "p99 2 s",
        told.to_string(),
        told.p99() <= Duration::from_secs(2),
    );
}

async fn to_the_end(stage: &Stage, args: &Args, field: &Field, konnect: &Konnect, sight: &Sight, table: &mut Table) {
    let mark = stage.mark();
    for lane in 0..args.samples {
        field.create(&job(&format!("job-{lane}"), lane, 0)).await;
        konnect.put(lane, 0).await;
    }
    sight.complete(args.samples).await;
    let ended = (0..args.samples).filter_map(|lane| {
        let ended = konnect.emulator.runs(&konnect.portals[lane]).unwrap().first()?.ended_at?;
        Some(between(ended, sight.of(&format!("job-{lane}")).complete?))
    });
    let ended = Samples::of(ended.collect());
    table.judged(
        "Konnect finished to Complete",
        "p99 the poll interval (15 s) + 1 s",
        ended.to_string(),
        ended.p99() <= POLL_INTERVAL + Duration::from_secs(1),
    );
    let requests = stage.requests(mark);
    let each = requests.status_writes() as f64 / args.samples as f64;
    table.judged(
        "status writes per undisturbed job",
        "6",
        format!("{each:.2} (all requests: {requests})"),
        each <= 6.0,
    );
}

fn ratio(ours: Duration, bare: Duration) -> f64 {
    ours.as_secs_f64() / bare.as_secs_f64()
}

async fn from_job_to_job(args: &Args, field: &Field, konnect: &Konnect, sight: &Sight, table: &mut Table) {
    let lane = args.samples;
    field.create_all((0..IN_A_ROW).map(|place| job(&format!("row-{place:02}"), lane, place))).await;
    sight.complete(args.samples + IN_A_ROW).await;
    // Which one comes first depends on which the apiserver took first.
    let mut ended: Vec<_> = (0..IN_A_ROW).map(|place| sight.of(&format!("row-{place:02}")).complete.unwrap()).collect();
    ended.sort_unstable();
    let mut gaps = Vec::new();
    for (place, ended) in ended.into_iter().take(IN_A_ROW - 1).enumerate() {
        gaps.push(between(ended, konnect.put(lane, place + 1).await));
    }
    let gaps = Samples::of(gaps);
    table.judged(
        "lane free to the next PUT, our own run",
        "p99 1 s",
        gaps.to_string(),
        gaps.p99() < Duration::from_secs(1),
    );
}
