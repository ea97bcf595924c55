//! Requests stopped at exact points: before and after the effect, their clients alive, gone or cut off.

use std::time::Duration;

use konnect_emulator::{Action, Emulator, Error, Fault, Hold, HoldId, HoldPoint, PathKind, Status, Webhook};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Bench, LIMIT, PORTAL, Reply, quick, window};

fn put() -> Hold {
    Hold::before().method("PUT").path(PathKind::ReplayJob)
}

/// A PUT by a client of its own, which can be killed.
fn client_puts(bench: &Bench) -> JoinHandle<reqwest::Result<u16>> {
    let request = bench.request(Method::PUT, &bench.url("audit-log-replay-job")).body(json!(window(2)).to_string());
    tokio::spawn(async move { request.send().await.map(|response| response.status().as_u16()) })
}

async fn killed(client: JoinHandle<reqwest::Result<u16>>) {
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
}

fn runs(bench: &Bench) -> usize {
    bench.emulator.runs(&bench.portal).unwrap().len()
}

#[tokio::test]
async fn a_request_is_held_before_its_effect_or_after_it() {
    for (point, effect) in [(HoldPoint::Before, false), (HoldPoint::After, true)] {
        let bench = Bench::start().await;
        let id = bench.emulator.hold(Hold { point, ..put() });
        let client = client_puts(&bench);
        let rule = bench.emulator.wait_held(id, LIMIT).await.unwrap();
        assert_eq!((rule.calls.as_slice(), rule.held), ([1].as_slice(), 1));
        assert_eq!(runs(&bench), usize::from(effect), "{point:?}");
        let call = bench.emulator.calls().remove(0);
        assert_eq!((call.status, call.effect), (None, effect));
        bench.emulator.release(id).unwrap();
        assert_eq!(client.await.unwrap().unwrap(), 202);
        let call = bench.emulator.calls().remove(0);
        assert_eq!((call.status, call.effect, runs(&bench)), (Some(202), true, 1));
        assert!(bench.emulator.holds()[0].released);
    }
}

#[tokio::test]
async fn every_point_can_be_held() {
    let bench = Bench::start().await;
    let destination = json!({"name": "n", "endpoint": "http://127.0.0.1:9", "log_format": "cef", "authorization": "a"});
    for hold in Hold::every() {
        // What is deleted by one is there again for the next.
        let webhook = Webhook::new(bench.receiver.url());
        bench.emulator.set_webhook(&bench.portal, webhook).unwrap();
        let destinations = format!("{}/v3/audit-log-destinations", bench.emulator.base_url("eu"));
        let made = bench.request(Method::POST, &destinations).body(destination.to_string()).send().await.unwrap();
        let made = Reply::read(made).await.json();
        let id = bench.emulator.hold(hold.clone());
        let base = bench.emulator.base_url("eu");
        let url = match hold.path.unwrap() {
            PathKind::ReplayJob => bench.url("audit-log-replay-job"),
            PathKind::Webhook => bench.url("audit-log-webhook"),
            PathKind::WebhookStatus => bench.url("audit-log-webhook/status"),
            PathKind::Jwks => format!("{base}/v2/audit-log-webhook/jwks.json"),
            PathKind::Destinations => destinations,
            PathKind::Destination => format!("{destinations}/{}", made["id"].as_str().unwrap()),
            PathKind::Portals => format!("{base}/v2/portals"),
            PathKind::AuditLogs => format!("{base}/v3/audit-logs"),
        };
        let method: Method = hold.method.as_deref().unwrap().parse().unwrap();
        let body = match (hold.path.unwrap(), method.as_str()) {
            (PathKind::ReplayJob, "PUT") => json!(window(2)).to_string(),
            (PathKind::Destinations, "POST") => destination.to_string(),
            (_, "PATCH") => "{}".to_owned(),
            _ => String::new(),
        };
        let request = bench.request(method, &url).body(body);
        let client = tokio::spawn(async move { request.send().await.unwrap().status().as_u16() });
        bench.emulator.wait_held(id, LIMIT).await.unwrap_or_else(|_| panic!("nobody came: {hold}"));
        bench.emulator.release(id).unwrap();
        assert!((200..300).contains(&client.await.unwrap()), "{hold}");
        let free = |emulator: &konnect_emulator::Emulator| {
            let status = emulator.job(&bench.portal).ok()?.status;
            (status == Status::Unconfigured || status.is_ended()).then_some(())
        };
        bench.emulator.wait_for(LIMIT, free).await.unwrap();
    }
    assert_eq!(runs(&bench), 2, "one PUT for each of its two points");
}

#[tokio::test]
async fn a_put_on_the_wire_is_applied_after_its_clients_death() {
    let bench = Bench::start().await;
    let id = bench.emulator.hold(put());
    let client = client_puts(&bench);
    bench.emulator.wait_held(id, LIMIT).await.unwrap();
    killed(client).await;
    bench.emulator.release(id).unwrap();
    bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    let call = bench.emulator.calls().remove(0);
    assert!(call.effect);
    assert_eq!(runs(&bench), 1);
}

#[tokio::test]
async fn a_client_killed_before_its_answer_leaves_a_run() {
    let bench = Bench::start().await;
    let id = bench.emulator.hold(Hold { point: HoldPoint::After, ..put() });
    let client = client_puts(&bench);
    bench.emulator.wait_held(id, LIMIT).await.unwrap();
    killed(client).await;
    bench.emulator.release(id).unwrap();
    assert_eq!(runs(&bench), 1);
    assert_eq!(bench.get(&bench.url("audit-log-replay-job")).await.status, 200);
}

#[tokio::test]
async fn what_is_cut_before_its_effect_never_has_one() {
    for (point, left) in [(HoldPoint::Before, 0), (HoldPoint::After, 1)] {
        let bench = Bench::start().await;
        let id = bench.emulator.hold(Hold { point, ..put() });
        let client = client_puts(&bench);
        bench.emulator.wait_held(id, LIMIT).await.unwrap();
        bench.emulator.cut_held(id).unwrap();
        assert!(client.await.unwrap().unwrap_err().is_request());
        assert_eq!(runs(&bench), left, "{point:?}");
        assert_eq!(bench.emulator.calls()[0].status, None);
        if left == 1 {
            // Until its run is over, another is refused.
            bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
        }
        assert_eq!(bench.put_job(window(2)).await.status, 202, "the hold is over");
    }
}

#[tokio::test]
async fn requests_pass_one_by_one() {
    let bench = Bench::start().await;
    let id = bench.emulator.hold(Hold::before().method("GET").region("eu").portal(PORTAL));
    let url = bench.url("audit-log-webhook");
    let gets: Vec<_> = (0..2).map(|_| tokio::spawn(bench.request(Method::GET, &url).send())).collect();
    let held = |count| move |e: &konnect_emulator::Emulator| (e.holds()[0].held == count).then_some(());
    bench.emulator.wait_for(LIMIT, held(2)).await.unwrap();
    bench.emulator.release_next(id).unwrap();
    let answered = |emulator: &konnect_emulator::Emulator| {
        let count = emulator.calls().iter().filter(|call| call.status.is_some()).count();
        (count == 1).then_some(())
    };
    bench.emulator.wait_for(LIMIT, answered).await.unwrap();
    assert_eq!(bench.emulator.holds()[0].held, 1);
    bench.emulator.release_all();
    for get in gets {
        assert_eq!(get.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_hold_is_for_so_many_requests_and_for_none_but_those_that_fit() {
    let bench = Bench::start().await;
    bench.emulator.hold(Hold::before().region("us"));
    bench.emulator.hold(Hold::after().path(PathKind::Webhook));
    let id = bench.emulator.hold(put().times(1));
    let client = client_puts(&bench);
    bench.emulator.wait_held(id, LIMIT).await.unwrap();
    assert_eq!(bench.put_job(window(3)).await.status, 202, "the second passes");
    bench.emulator.release_all();
    client.await.unwrap().unwrap();
    let nobody = Duration::from_millis(20);
    let again = bench.emulator.hold(put());
    assert!(matches!(bench.emulator.wait_held(again, nobody).await, Err(Error::Timeout(_))));
    assert!(matches!(bench.emulator.wait_held(HoldId(99), nobody).await, Err(Error::UnknownHold(HoldId(99)))));
    assert!(matches!(bench.emulator.release(HoldId(99)), Err(Error::UnknownHold(_))));
}

#[tokio::test]
async fn holds_and_faults_work_together() {
    let bench = Bench::start().await;
    bench.emulator.add_fault(Fault::new(Action::CutAfter).method("PUT").times(1));
    let before = bench.emulator.hold(put());
    let after = bench.emulator.hold(Hold { point: HoldPoint::After, ..put() });
    let client = client_puts(&bench);
    bench.emulator.wait_held(before, LIMIT).await.unwrap();
    assert_eq!(runs(&bench), 0);
    bench.emulator.release(before).unwrap();
    bench.emulator.wait_held(after, LIMIT).await.unwrap();
    assert_eq!(runs(&bench), 1);
    bench.emulator.release(after).unwrap();
    assert!(client.await.unwrap().is_err(), "the fault has cut it");
}

#[tokio::test]
async fn a_held_get_answers_what_was_when_it_was_held() {
    let bench = Bench::start().await;
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    let id = bench.emulator.hold(Hold::after().method("GET").times(1));
    let request = bench.request(Method::GET, &bench.url("audit-log-replay-job"));
    let client = tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    bench.emulator.wait_held(id, LIMIT).await.unwrap();
    assert_eq!(bench.put_job(window(2)).await.status, 202);
    bench.emulator.release(id).unwrap();
    assert!(client.await.unwrap().contains("unconfigured"));
}

#[tokio::test]
async fn an_emulator_that_stops_lets_nobody_hang() {
    let mut bench = Bench::start().await;
    let id = bench.emulator.hold(put());
    let client = client_puts(&bench);
    bench.emulator.wait_held(id, LIMIT).await.unwrap();
    let next = Emulator::start(quick()).await.unwrap();
    std::mem::replace(&mut bench.emulator, next).stop().await;
    assert!(client.await.unwrap().is_err());
}
