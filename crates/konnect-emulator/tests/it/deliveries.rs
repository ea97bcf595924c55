//! Live delivery: form, signatures, retries, outages.

use konnect_emulator::{Emit, Emulator, LogFormat, Outage, SignatureCheck, TargetKey, Webhook};
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, hours_ago, window};

#[tokio::test]
async fn an_event_is_delivered_at_once_and_signed() {
    let bench = Bench::start().await;
    let ids = bench.emulator.emit(&bench.portal, Emit::now(3)).unwrap();
    let events = bench.receiver.wait_for_events(3, LIMIT).await.unwrap();
    let received: Vec<_> = events.iter().map(|event| event.trace_id.clone()).collect();
    assert_eq!(received, ids);
    assert!(events.iter().all(|event| event.signature == SignatureCheck::Valid));
    let line: Value = serde_json::from_str(&events[0].line).unwrap();
    assert_eq!(line["rt"].to_string(), events[0].rt);
    assert_eq!(line["portal_id"], crate::support::PORTAL);
}

#[tokio::test]
async fn every_format_arrives_and_verifies() {
    let bench = Bench::start().await;
    for (count, format) in [(1, LogFormat::Json), (2, LogFormat::Cef), (3, LogFormat::Cps)] {
        let webhook = Webhook::new(bench.receiver.url()).log_format(format);
        bench.emulator.set_webhook(&bench.portal, webhook).unwrap();
        bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
        let events = bench.receiver.wait_for_events(count, LIMIT).await.unwrap();
        assert_eq!(events[count - 1].signature, SignatureCheck::Valid, "{format:?}");
    }
    assert_eq!(bench.receiver.unreadable(), 0);
}

#[tokio::test]
async fn unsigned_lines_are_told_apart_by_all_that_they_say() {
    let bench = Bench::start().await;
    let webhook = Webhook { signed: false, ..Webhook::new(bench.receiver.url()) };
    bench.emulator.set_webhook(&bench.portal, webhook).unwrap();
    bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(1))).unwrap();
    let events = bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    assert!(events.iter().all(|event| event.signature == SignatureCheck::Absent));
}

#[tokio::test]
async fn a_refused_connection_is_retried_four_times_and_the_events_are_kept() {
    let bench = Bench::start().await;
    bench.receiver.set_outage(Outage::Refuse);
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    let attempts = |wanted: usize| {
        bench.emulator.wait_for(LIMIT, move |emulator| {
            Some(emulator.deliveries()).filter(|deliveries| deliveries.len() >= wanted)
        })
    };
    let deliveries = attempts(5).await.unwrap();
    assert!(deliveries.iter().all(|delivery| delivery.response_code.is_none() && delivery.error.is_some()));
    assert_eq!(deliveries.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(bench.emulator.events(&bench.portal).unwrap().len(), 1);

    bench.receiver.set_outage(None);
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    let deliveries = attempts(6).await.unwrap();
    assert!(deliveries[5].is_delivered() && deliveries.len() == 6, "what was dropped is not sent again");
    assert_eq!(bench.receiver.events().len(), 1);
}

#[tokio::test]
async fn only_500_and_429_are_retried() {
    let bench = Bench::start().await;
    bench.emulator.emit(&bench.portal, Emit::at(1, hours_ago(2)).lost()).unwrap();
    for (run, (status, attempts)) in [(500, 5), (429, 5), (503, 1), (401, 1), (413, 1)].into_iter().enumerate() {
        bench.receiver.set_outage(Outage::Answer(status));
        bench.emulator.clear_deliveries();
        assert_eq!(bench.put_job(window(2)).await.status, 202);
        // A run ends after its delivery, so that no attempt can come after this.
        let ended = |emulator: &Emulator| emulator.runs(&bench.portal).ok()?.get(run)?.ended_at;
        bench.emulator.wait_for(LIMIT, ended).await.unwrap();
        let codes: Vec<_> = bench.emulator.deliveries().iter().map(|delivery| delivery.response_code).collect();
        assert_eq!(codes, vec![Some(status); attempts]);
    }
}

#[tokio::test]
async fn the_status_shows_how_the_last_attempt_went() {
    let bench = Bench::start().await;
    let status = || async { bench.get(&bench.url("audit-log-webhook/status")).await.json() };
    let fresh = status().await;
    assert_eq!(fresh, json!({"webhook_enabled": true, "webhook_status": "active"}));
    bench.receiver.set_outage(Outage::Answer(503));
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    bench.emulator.wait_for(LIMIT, |emulator| emulator.deliveries().first().cloned()).await.unwrap();
    let failed = status().await;
    assert_eq!((&failed["webhook_status"], &failed["last_response_code"]), (&json!("inactive"), &json!(503)));
    assert_eq!(failed["last_response_message"], "Service Unavailable", "bare words, as in the examples");
    assert!(failed["last_attempt_at"].is_string());
    bench.receiver.set_outage(None);
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    bench.receiver.wait_for_events(1, LIMIT).await.unwrap();
    bench.emulator.wait_for(LIMIT, |emulator| emulator.deliveries().get(1).cloned()).await.unwrap();
    assert_eq!(status().await["webhook_status"], "active");
}

#[tokio::test]
async fn a_webhook_that_is_off_gets_nothing() {
    let bench = Bench::start().await;
    bench.emulator.set_webhook(&bench.portal, Webhook::new(bench.receiver.url()).disabled()).unwrap();
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    bench.emulator.set_webhook(&bench.portal, Webhook::new(bench.receiver.url())).unwrap();
    let ids = bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    let events = bench.receiver.wait_for_events(1, LIMIT).await.unwrap();
    assert_eq!(events.iter().map(|event| &event.trace_id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_organization_has_a_webhook_and_events_of_its_own() {
    let bench = Bench::start().await;
    let organization = TargetKey::organization("acme", "eu");
    bench.emulator.set_webhook(&organization, Webhook::new(bench.receiver.url())).unwrap();
    bench.emulator.emit(&organization, Emit::now(2)).unwrap();
    let events = bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    assert!(events.iter().all(|event| !event.line.contains("portal_id")));
    assert!(bench.emulator.events(&bench.portal).unwrap().is_empty());
    let first = |emulator: &Emulator| emulator.deliveries().first().cloned();
    let delivery = bench.emulator.wait_for(LIMIT, first).await.unwrap();
    assert_eq!(delivery.target, organization);
}
