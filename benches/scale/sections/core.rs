//! Decisions and lanes, in this process, without anything else: what an object costs before anybody is asked.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{
    Candidate, Clock, Draw, Learned, Memory, ObjectId, Observed, Policy, Scheduler, Serialize, Spec, Step, Turn, next,
};

use crate::load::job;
use crate::measure::Samples;
use crate::table::{Table, time};

const WAITING: [usize; 3] = [100, 10_000, 100_000];
const SAMPLES: usize = 5_000;
const TARGET: Duration = Duration::from_micros(20);
/// By how much the cost may grow while the queue grows a thousand times. The logarithm grows two and a half times; the rest is what a
/// large queue's memory costs to reach.
const GROWTH: f64 = 10.0;

pub fn run(table: &mut Table) {
    let policy = policy();
    let decided = decisions(&policy);
    table.judged("`next`, a job that waits in its lane", "p99 20 µs", decided.to_string(), decided.p99() < TARGET);
    let admitted = WAITING.map(|waiting| (waiting, admissions(waiting, &policy)));
    for (waiting, samples) in &admitted {
        let met = samples.p99() < TARGET;
        table.judged(format!("asking for a turn, {waiting} waiting"), "p99 20 µs", samples.to_string(), met);
    }
    for waiting in WAITING {
        let samples = handovers(waiting, &policy);
        let met = samples.p99() < TARGET;
        table.judged(format!("leaving a lane and taking it, {waiting} waiting"), "p99 20 µs", samples.to_string(), met);
    }
    let (few, many) = (admitted[0].1.p50(), admitted[2].1.p50());
    let growth = many.as_secs_f64() / few.as_secs_f64();
    table.judged(
        "growth from 100 to 100,000 waiting",
        "O(log n)",
        format!("{growth:.1} times ({} to {})", time(few), time(many)),
        growth < GROWTH,
    );
}

fn policy() -> Policy {
    let seconds = Duration::from_secs;
    Policy {
        konnect_url: "https://{region}.api.konghq.com".parse().unwrap(),
        regions: vec!["eu".to_owned()],
        serialize: Serialize::Region,
        poll_interval: seconds(15),
        retry_interval: seconds(60),
        retention: seconds(168 * 3_600),
        ingest_delay: seconds(60),
        get_lag: seconds(30),
        backoff_base: seconds(60),
        request_timeout: seconds(30),
    }
}

fn object(place: usize) -> AuditLogReplayJob {
    let mut object = job(&format!("job-{place:06}"), 0, place % 40_000);
    object.metadata.namespace = Some("audit".to_owned());
    object.metadata.uid = Some(format!("00000000-0000-4000-8000-{place:012}"));
    object.metadata.generation = Some(1);
    object
}

/// As often as a pass of one that waits asks: once before it knows whose turn it is, once after.
fn decisions(policy: &Policy) -> Samples {
    let mut object = object(1);
    let (memory, draw) = (Memory::default(), Draw { jitter: 0.5, submission_id: String::new() });
    let clock = Clock { wall: Utc::now() + TimeDelta::seconds(1), mono: Duration::from_secs(1) };
    let learned = Learned { turn: Some(Turn::Later), token: Some(Ok(())), ..Learned::default() };
    let spec = Spec::of(&object, policy);
    let decide = |job: &AuditLogReplayJob| {
        next(&Observed { clock, policy, job, spec: &spec, learned: &learned, memory: &memory, draw: &draw })
    };
    while let Step::WriteStatus(status) = decide(&object) {
        object.status = Some(*status);
    }
    sampled(|_| {
        let step = decide(&object);
        assert!(matches!(black_box(&step), Step::Wait { .. }), "{step:?}");
    })
}

fn queue(waiting: usize, policy: &Policy) -> (Scheduler, Vec<Candidate>) {
    let everybody: Vec<Candidate> = (0..=waiting).map(|place| Candidate::of(&object(place), policy).unwrap()).collect();
    let mut scheduler = Scheduler::new(policy);
    for who in &everybody {
        let _ = scheduler.take(who, false, Duration::ZERO);
    }
    (scheduler, everybody)
}

/// One that waits asks whether it may go.
fn admissions(waiting: usize, policy: &Policy) -> Samples {
    let (mut scheduler, everybody) = queue(waiting, policy);
    // A step that is prime to the number of candidates touches all parts of the queue.
    sampled(|n| {
        let who = &everybody[1 + (n * 7_919) % waiting];
        assert_ne!(black_box(scheduler.take(who, false, Duration::ZERO).0), Turn::Ours);
    })
}

/// The one whose turn it is ends; the next is woken and goes; the first waits again, so that the queue keeps its length.
fn handovers(waiting: usize, policy: &Policy) -> Samples {
    let (mut scheduler, everybody) = queue(waiting, policy);
    let by_id: HashMap<&ObjectId, &Candidate> = everybody.iter().map(|who| (&who.id, who)).collect();
    let mut holder = &everybody[0];
    let samples = (0..SAMPLES).map(|_| {
        let began = Instant::now();
        let woken = scheduler.gone(&holder.id, Duration::ZERO);
        let left = began.elapsed();
        let woken: Vec<ObjectId> = woken.into_iter().collect();
        let next = by_id[&woken[0]];
        let began = Instant::now();
        assert_eq!(black_box(scheduler.take(next, false, Duration::ZERO).0), Turn::Ours);
        let took = began.elapsed();
        let _ = scheduler.take(holder, false, Duration::ZERO);
        holder = next;
        left + took
    });
    Samples::of(samples.collect())
}

fn sampled(mut once: impl FnMut(usize)) -> Samples {
    let samples = (0..SAMPLES).map(|n| {
        let began = Instant::now();
        once(n);
        began.elapsed()
    });
    Samples::of(samples.collect())
}
