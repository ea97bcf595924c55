//! What each fault does on the wire, and to the request.

use std::time::{Duration, Instant};

use konnect_emulator::{Action, Fault, PathKind, Reply as FaultReply, Status};
use reqwest::Method;
use serde_json::json;

use crate::support::{Bench, LIMIT, hours_ago, window};

fn on_put(action: Action) -> Fault {
    Fault::new(action).method("PUT").path(PathKind::ReplayJob).times(1)
}

async fn put_without_answer(bench: &Bench) -> reqwest::Error {
    let request = bench.request(Method::PUT, &bench.url("audit-log-replay-job"));
    request.body(json!(window(2)).to_string()).send().await.unwrap_err()
}

#[tokio::test]
async fn a_status_is_answered_instead_and_nothing_is_applied() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::status(503)));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.header("content-type")), (503, "application/json"));
    assert_eq!(bench.emulator.job(&bench.portal).unwrap().status, Status::Unconfigured);
    assert_eq!(bench.emulator.calls()[0].fault, Some(1));
    assert_eq!(bench.put_job(window(2)).await.status, 202, "the rule is used up");
}

#[tokio::test]
async fn a_rate_limit_carries_its_retry_after() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::rate_limit(Some("77"))));
    bench.emulator.add_fault(on_put(Action::rate_limit(None)));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "77"));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.headers.get("retry-after")), (429, None));
}

#[tokio::test]
async fn an_answer_can_be_anything_and_come_after_the_effect() {
    let bench = Bench::start().await;
    let html = FaultReply {
        status: 200,
        body: Some("<html>".to_owned()),
        content_type: Some("text/html".to_owned()),
        headers: vec![("x-proxy".to_owned(), "yes".to_owned())],
        applied: true,
    };
    bench.emulator.add_fault(on_put(Action::Answer(html)));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.body.as_str(), reply.header("content-type")), (200, "<html>", "text/html"));
    assert_eq!(reply.header("x-proxy"), "yes");
    assert_eq!(bench.emulator.runs(&bench.portal).unwrap().len(), 1);
    assert!(bench.emulator.calls()[0].effect);
}

#[tokio::test]
async fn a_delay_comes_before_the_usual_answer() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::Delay { time: Duration::from_millis(60) }));
    let begin = Instant::now();
    assert_eq!(bench.put_job(window(2)).await.status, 202);
    assert!(begin.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_cut_before_the_effect_leaves_nothing() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::CutBefore));
    let error = put_without_answer(&bench).await;
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert!(bench.emulator.runs(&bench.portal).unwrap().is_empty());
    let call = &bench.emulator.calls()[0];
    assert_eq!((call.status, call.effect), (None, false));
}

#[tokio::test]
async fn a_cut_after_the_effect_leaves_a_run() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::CutAfter));
    put_without_answer(&bench).await;
    assert_eq!(bench.emulator.runs(&bench.portal).unwrap().len(), 1);
    let call = &bench.emulator.calls()[0];
    assert_eq!((call.status, call.effect), (None, true));
}

#[tokio::test]
async fn a_hang_lasts_until_the_client_leaves() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::Hang));
    let request = bench.request(Method::PUT, &bench.url("audit-log-replay-job"));
    let request = request.body(json!(window(2)).to_string()).timeout(Duration::from_millis(60));
    assert!(request.send().await.unwrap_err().is_timeout());
    let call = bench.emulator.wait_for(LIMIT, |emulator| emulator.calls().first().cloned()).await.unwrap();
    assert_eq!((call.status, call.effect), (None, false));
    assert!(bench.emulator.runs(&bench.portal).unwrap().is_empty());
}

#[tokio::test]
async fn a_slow_body_comes_byte_by_byte() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::SlowBody { each: Duration::from_millis(1) }));
    let begin = Instant::now();
    let request = bench.request(Method::PUT, &bench.url("audit-log-replay-job")).body(json!(window(2)).to_string());
    let mut response = request.send().await.unwrap();
    let mut sizes = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        sizes.push(chunk.len());
    }
    let length: usize = sizes.iter().sum();
    assert!(sizes.len() > 1 && length > 100, "{sizes:?}");
    assert!(begin.elapsed() >= Duration::from_millis(u64::try_from(length).unwrap()));
    assert_eq!(bench.emulator.runs(&bench.portal).unwrap().len(), 1);
}

#[tokio::test]
async fn the_end_of_a_connection_is_announced_before_the_answer() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::GoAway));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.header("connection")), (202, "close"));
    assert_eq!(bench.get_job().await["start_at"], json!(hours_ago(2)), "on another connection");
}

#[tokio::test]
async fn a_large_body_is_the_usual_answer_and_spaces() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(on_put(Action::LargeBody { bytes: 100_000 }));
    let reply = bench.put_job(window(2)).await;
    assert_eq!((reply.status, reply.body.len()), (202, 100_000));
    assert_eq!(reply.json()["status"], "accepted");
}

#[tokio::test]
async fn rules_are_narrowed_counted_and_cleared() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(Fault::new(Action::status(500)).region("us"));
    bench.emulator.add_fault(Fault::new(Action::status(502)).portal(crate::support::PORTAL));
    let url = bench.url("audit-log-webhook/status");
    assert_eq!(bench.get(&url).await.status, 502);
    assert_eq!(bench.get(&url).await.status, 502, "without a count a rule lasts");
    let hits: Vec<_> = bench.emulator.faults().iter().map(|rule| rule.hits).collect();
    assert_eq!(hits, [0, 2]);
    bench.emulator.clear_faults();
    assert_eq!(bench.get(&url).await.status, 200);
}
