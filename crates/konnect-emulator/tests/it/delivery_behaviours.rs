//! How deliveries behave where Konnect's documents are silent or contradict each other: each way.

use std::time::Duration;

use konnect_emulator::{
    ContentEncoding, DeliveryBehaviour, Emit, Emulator, JsonTypes, Options, Outage, Q7, Q11, Q12, SignatureCheck,
    Status, Tls, Webhook,
};
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, hours_ago, quick, window};

impl Bench {
    fn bend(&self, change: impl FnOnce(&mut DeliveryBehaviour)) {
        self.emulator.change_behaviour(&self.portal, |behaviour| change(&mut behaviour.delivery)).unwrap();
    }

    /// The attempts of one replay of one lost event.
    async fn attempts_of_a_replay(&self) -> Vec<konnect_emulator::Delivery> {
        self.emulator.emit(&self.portal, Emit::at(1, hours_ago(2)).lost()).unwrap();
        self.put_job(window(2)).await;
        let ended = |emulator: &Emulator| emulator.runs(&self.portal).ok()?.last()?.ended_at;
        self.emulator.wait_for(LIMIT, ended).await.unwrap();
        self.emulator.deliveries()
    }

    async fn status(&self) -> Value {
        self.get(&self.url("audit-log-webhook/status")).await.json()
    }
}

#[tokio::test]
async fn the_content_encoding_is_that_of_the_page_or_that_of_kongctl() {
    for (encoding, header) in [(ContentEncoding::ApplicationGzip, "application/gzip"), (ContentEncoding::Gzip, "gzip")]
    {
        let bench = Bench::start().await;
        bench.bend(|delivery| delivery.content_encoding = encoding);
        bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
        let events = bench.receiver.wait_for_events(1, LIMIT).await.unwrap();
        assert_eq!((events[0].content_encoding.as_str(), events[0].signature), (header, SignatureCheck::Valid));
    }
    assert_eq!(DeliveryBehaviour::default().content_encoding, ContentEncoding::ApplicationGzip);
}

#[tokio::test]
async fn json_has_the_types_of_the_table_or_those_of_the_examples() {
    for (types, is_text) in [(JsonTypes::Table, false), (JsonTypes::Examples, true)] {
        let bench = Bench::start().await;
        bench.bend(|delivery| delivery.json_types = types);
        bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
        let events = bench.receiver.wait_for_events(1, LIMIT).await.unwrap();
        let line: Value = serde_json::from_str(&events[0].line).unwrap();
        assert_eq!(events[0].signature, SignatureCheck::Valid);
        assert_eq!((line["rt"].is_string(), line["success"].is_string()), (is_text, is_text), "{line}");
        assert_eq!(line["trace_id"].is_number(), is_text);
    }
}

#[test]
fn the_usual_waits_are_those_of_the_library() {
    assert_eq!(DeliveryBehaviour::default().waits, [1, 2, 4, 8].map(Duration::from_secs));
    assert!(!DeliveryBehaviour::default().retries_certificates);
}

#[tokio::test]
async fn there_is_one_attempt_more_than_waits() {
    for waits in [0_u32, 2] {
        let bench = Bench::start().await;
        bench.bend(|delivery| delivery.waits = vec![Duration::from_millis(1); waits as usize]);
        bench.receiver.set_outage(Outage::Answer(500));
        let attempts = bench.attempts_of_a_replay().await;
        assert_eq!(
            attempts.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(),
            (1..=waits + 1).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn an_error_of_the_certificate_is_not_tried_again_or_is() {
    let siem = Emulator::start(Options { tls: Some(Tls::SelfSigned { names: vec![] }), ..quick() }).await.unwrap();
    let untrusted = || Webhook::new(siem.base_url("eu"));
    for (retries, attempts) in [(false, 1), (true, 5)] {
        let bench = Bench::start().await;
        bench.bend(|delivery| delivery.retries_certificates = retries);
        bench.emulator.set_webhook(&bench.portal, untrusted()).unwrap();
        let made = bench.attempts_of_a_replay().await;
        assert_eq!(made.len(), attempts, "{made:#?}");
        assert!(made.iter().all(|delivery| delivery.response_code.is_none()));
    }
    let bench = Bench::start().await;
    bench.emulator.set_webhook(&bench.portal, Webhook { skip_ssl_verification: true, ..untrusted() }).unwrap();
    assert_eq!(bench.attempts_of_a_replay().await[0].response_code, Some(404), "it is reached without the check");
}

#[tokio::test]
async fn q7_says_whether_a_replayed_line_has_its_old_signature() {
    for (q7, duplicates) in [(Q7::Identical, 1), (Q7::New, 0)] {
        let bench = Bench::start().await;
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q7 = q7).unwrap();
        bench.emulator.emit(&bench.portal, Emit::at(1, hours_ago(2))).unwrap();
        bench.receiver.wait_for_events(1, LIMIT).await.unwrap();
        bench.put_job(window(2)).await;
        bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
        let events = bench.receiver.events();
        assert_eq!((bench.receiver.duplicates(), events.len()), (duplicates, 2 - usize::try_from(duplicates).unwrap()));
        assert!(events.iter().all(|event| event.signature == SignatureCheck::Valid));
    }
}

#[tokio::test]
async fn q11_says_whether_a_receiver_may_ask_for_a_longer_pause() {
    for (honours_retry_after, pause) in [(false, 0), (true, 100)] {
        let bench = Bench::start().await;
        let q11 = Q11 { honours_retry_after, ..Q11::default() };
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q11 = q11).unwrap();
        bench.bend(|delivery| delivery.waits = vec![Duration::from_millis(1)]);
        bench.receiver.set_outage(Outage::ComeAgain(100));
        let attempts = bench.attempts_of_a_replay().await;
        assert_eq!((attempts.len(), attempts[0].response_code), (2, Some(429)));
        let between = (attempts[1].at - attempts[0].at).num_milliseconds();
        assert!(between >= pause, "100 s, which the bench scales to 100 ms: {between} ms");
    }
}

#[tokio::test]
async fn q11_says_how_long_an_attempt_may_take() {
    let bench = Bench::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    bench.emulator.set_webhook(&bench.portal, Webhook::new(url)).unwrap();
    let q11 = Q11 { attempt_timeout: Duration::from_millis(30), ..Q11::default() };
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q11 = q11).unwrap();
    let attempts = bench.attempts_of_a_replay().await;
    assert_eq!(attempts.len(), 5, "a time-out is a connection error: {attempts:#?}");
}

#[tokio::test]
async fn q12_says_whether_a_webhook_that_fails_turns_itself_off() {
    for (q12, arrives) in [(Q12::KeepsTrying, true), (Q12::TurnsOffAfter(2), false)] {
        let bench = Bench::start().await;
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q12 = q12).unwrap();
        bench.receiver.set_outage(Outage::Answer(503));
        for failed in 1..=2 {
            bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
            let tried = move |emulator: &Emulator| (emulator.deliveries().len() >= failed).then_some(());
            bench.emulator.wait_for(LIMIT, tried).await.unwrap();
        }
        bench.receiver.set_outage(None);
        let status = bench.status().await;
        assert_eq!(
            (&status["webhook_enabled"], &status["webhook_status"]),
            (&json!(true), &json!("inactive")),
            "{q12:?}"
        );
        bench.attempts_of_a_replay().await;
        let run = bench.emulator.runs(&bench.portal).unwrap().remove(0);
        assert_eq!(run.status == Status::Completed, arrives, "{run:?}");
        if !arrives {
            assert_eq!(run.failure.as_deref(), Some("the webhook has turned itself off"));
            let on = bench.request(reqwest::Method::PATCH, &bench.url("audit-log-webhook")).body(r#"{"enabled":true}"#);
            assert_eq!(on.send().await.unwrap().status(), 200);
            assert!(bench.attempts_of_a_replay().await.last().unwrap().is_delivered(), "it was turned on again");
        }
    }
}

#[tokio::test]
async fn a_webhook_that_turns_itself_off_makes_none_of_the_attempts_that_are_left() {
    let bench = Bench::start().await;
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q12 = Q12::TurnsOffAfter(2)).unwrap();
    bench.receiver.set_outage(Outage::Answer(500));
    assert_eq!(bench.attempts_of_a_replay().await.len(), 2, "four are allowed after the first");
    assert_eq!(bench.status().await["webhook_status"], "inactive");
}

#[tokio::test]
async fn live_events_come_late_and_replays_do_not() {
    let bench = Bench::start().await;
    let lag = Duration::from_secs(3);
    bench.bend(|delivery| delivery.lag = lag);
    let begin = std::time::Instant::now();
    bench.emulator.emit(&bench.portal, Emit::now(1)).unwrap();
    bench.attempts_of_a_replay().await;
    let replayed = bench.receiver.events();
    bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    assert!(begin.elapsed() >= lag);
    assert_eq!(replayed.len(), 1, "the replay came first");
}

#[tokio::test]
async fn the_status_lags_behind() {
    let bench = Bench::start().await;
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.status_lag = Duration::from_hours(1)).unwrap();
    bench.receiver.set_outage(Outage::Answer(503));
    bench.attempts_of_a_replay().await;
    assert_eq!(bench.status().await["webhook_status"], "unconfigured", "so it was an hour ago");
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.status_lag = Duration::ZERO).unwrap();
    assert_eq!(bench.status().await["webhook_status"], "inactive");
}
