//! Answers that end nowhere, and answers that do not end.

use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};
use konnect_emulator::{Q2, TargetKey};
use konnect_replay_core::api::ConditionType;

use super::front::{Front, Mangling, Rule};
use crate::support::{JobBuilder, World, condition};

const GIB: usize = 1 << 30;
const MIB: usize = 1 << 20;
/// What the process may grow by while it reads gibibytes: far above what a connection takes, and far below one body.
const ROOM: usize = 128 * MIB;

/// A method, what is done to its answer, and what the object must say of it.
struct Case {
    name: &'static str,
    method: &'static str,
    mangling: Mangling,
    cause: &'static str,
}

fn case(name: &'static str, method: &'static str, mangling: Mangling, cause: &'static str) -> Case {
    Case { name, method, mangling, cause }
}

fn head(status: u16, more: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}\r\n")
}

/// A gibibyte of JSON's white space behind the beginning of an object, with its length told or in chunks.
fn gibibyte(status: u16) -> Mangling {
    let head = head(status, &format!("content-length: {}\r\n", GIB + 1)) + "{";
    Mangling::Flood { head, piece: vec![b' '; MIB].into(), times: 1024 }
}

fn endless(status: u16) -> Mangling {
    let mut chunk = format!("{MIB:x}\r\n").into_bytes();
    chunk.extend(vec![b' '; MIB]);
    chunk.extend(b"\r\n");
    Mangling::Flood { head: head(status, "transfer-encoding: chunked\r\n"), piece: chunk.into(), times: 1024 }
}

/// A mebibyte of zeros as blocks that may follow one another: a gibibyte of it takes about a mebibyte on the wire.
fn zeros() -> Arc<[u8]> {
    let mut block = Vec::with_capacity(MIB);
    Compress::new(Compression::best(), false).compress_vec(&vec![0; MIB], &mut block, FlushCompress::Full).unwrap();
    assert!(block.len() < MIB / 500, "{} bytes for a mebibyte", block.len());
    block.into()
}

fn bomb(status: u16) -> Mangling {
    let encoded = head(status, "content-encoding: gzip\r\nconnection: close\r\n");
    // The ten bytes with which gzip begins (RFC 1952, 2.3); all are ASCII or escaped below 0x80 but the second, so they come as a piece.
    let mut first = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let block = zeros();
    for _ in 0..1024 {
        first.extend_from_slice(&block);
    }
    Mangling::Flood { head: encoded, piece: first.into(), times: 1 }
}

fn cases() -> Vec<Case> {
    const LARGE: &str = "larger than 64 KiB";
    const LATE: &str = "the time allowed for the call was over";
    const UNREADABLE: &str = "no answer from Konnect";
    vec![
        case("put-gibibyte", "PUT", gibibyte(202), LARGE),
        case("put-endless", "PUT", endless(202), LARGE),
        case("put-bomb", "PUT", bomb(202), LARGE),
        case("put-500-gibibyte", "PUT", gibibyte(500), "answered 500"),
        case("put-silence", "PUT", Mangling::Silence, LATE),
        case("put-cut-in-the-body", "PUT", Mangling::HalfThenCut, UNREADABLE),
        case("get-gibibyte", "GET", gibibyte(200), LARGE),
        case("get-endless", "GET", endless(200), LARGE),
        case("get-bomb", "GET", bomb(200), LARGE),
        case("get-500-endless", "GET", endless(500), "answered 500"),
        case("get-silence", "GET", Mangling::Silence, LATE),
        case("get-cut-in-the-body", "GET", Mangling::HalfThenCut, UNREADABLE),
    ]
}

fn portal_id(number: usize) -> String {
    format!("0d0f7b52-1111-4c39-9f3c-{number:012x}")
}

/// One run, and the cause in some condition of the object.
async fn ends_well(world: &World, target: &TargetKey, case: &Case) {
    world.wait_until_complete(case.name).await;
    let runs = world.emulator.runs(target).unwrap();
    assert_eq!((runs.len(), runs[0].events), (1, 1), "{}: {runs:#?}", case.name);
    let named = world.history.of(case.name).iter().any(|job| {
        let said = |type_| condition(job, type_).is_some_and(|c| c.message.contains(case.cause));
        said(&ConditionType::Ready) || said(&ConditionType::Submitted)
    });
    assert!(named, "{} never says {:?}: {:#?}", case.name, case.cause, world.states(case.name));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_without_end_or_bottom_cost_little_memory_and_no_second_run() {
    let world = World::builder()
        .flag("--serialize=portal")
        .flag("--concurrency=64")
        .emulator(|options| options.q2 = Q2::Portal)
        .without_operator()
        .build()
        .await;
    let front = Front::before(&world).await;
    let operator = world.start_operator(&[&front.flag()]).await;
    let before = operator.peak_memory();
    let cases = cases();
    let each = cases.iter().enumerate().map(async |(number, case)| {
        let portal = portal_id(number);
        let target = world.add_portal("eu", &portal);
        front.mangle(Rule { method: case.method, portal: portal.clone(), mangling: case.mangling.clone() });
        let job = world.create(JobBuilder::portal(case.name, "eu", &portal)).await;
        world.lose(&target, &job, 1);
        ends_well(&world, &target, case).await;
    });
    futures::future::join_all(each).await;
    assert!(front.left().is_empty(), "never met: {:?}", front.left().iter().map(|r| &r.portal).collect::<Vec<_>>());
    assert_eq!((world.receiver.events().len(), world.receiver.duplicates()), (cases.len(), 0));
    let grown = operator.peak_memory() - before;
    println!("{} answers, eight of a gibibyte: the operator's peak grew by {} KiB", cases.len(), grown / 1024);
    assert!(grown < ROOM, "from {before} by {grown} bytes");
}
