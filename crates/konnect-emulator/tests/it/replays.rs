//! The life of a replay job, and what it really sends.

use std::time::Duration;

use konnect_emulator::{Emit, Error, Options, Outage, Q1, Q2, Receiver, ReceiverOptions, Status, Webhook};
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, hours_ago, quick, window};

#[tokio::test]
async fn a_gap_is_closed_by_a_replay() {
    let bench = Bench::start().await;
    let lost = bench.emulator.emit(&bench.portal, Emit::at(7, hours_ago(2)).lost()).unwrap();
    let outside = bench.emulator.emit(&bench.portal, Emit::at(1, hours_ago(5)).lost()).unwrap();
    assert_eq!(bench.put_job(window(2)).await.status, 202);
    bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    let received: Vec<_> = bench.receiver.events().into_iter().map(|event| event.trace_id).collect();
    assert_eq!(received, lost, "and not {outside:?}");
    let runs = bench.emulator.runs(&bench.portal).unwrap();
    let [run] = runs.as_slice() else { panic!("one run: {runs:?}") };
    assert_eq!((run.events, run.by.as_str(), &run.status), (7, "acme/token-1", &Status::Completed));
    assert_eq!(run.window, window(2));
    assert!(run.started_at.is_some() && run.ended_at.is_some());
    let deliveries = bench.emulator.deliveries();
    assert_eq!((deliveries[0].run, &deliveries[0].event_ids), (Some(1), &lost));
}

#[tokio::test]
async fn a_second_replay_sends_everything_again_and_receivers_tell() {
    let bench = Bench::start().await;
    bench.emulator.emit(&bench.portal, Emit::at(3, hours_ago(2)).lost()).unwrap();
    for run in 1..=2 {
        assert_eq!(bench.put_job(window(2)).await.status, 202);
        let ended = |emulator: &konnect_emulator::Emulator| {
            emulator.runs(&bench.portal).ok()?.get(run - 1).filter(|run| run.status == Status::Completed).cloned()
        };
        bench.emulator.wait_for(LIMIT, ended).await.unwrap();
    }
    assert_eq!((bench.receiver.events().len(), bench.receiver.duplicates()), (3, 3));
}

#[tokio::test]
async fn many_events_go_in_batches() {
    let bench = Bench::with(Options { batch_size: 10, ..quick() }).await;
    bench.emulator.emit(&bench.portal, Emit::at(25, hours_ago(2)).lost()).unwrap();
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    let sizes: Vec<_> = bench.emulator.deliveries().iter().map(|delivery| delivery.events).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(bench.receiver.events().len(), 25);
}

#[tokio::test]
async fn every_state_is_seen_and_moves_updated_at() {
    let bench = Bench::start().await;
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    let mut seen = vec![bench.put_job(window(2)).await.json()];
    for word in ["pending", "running", "completed"] {
        bench.emulator.advance(&bench.portal, Status::from(word)).unwrap();
        seen.push(bench.get_job().await);
    }
    let words: Vec<_> = seen.iter().map(|job| job["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["accepted", "pending", "running", "completed"]);
    let times: Vec<&Value> = seen.iter().map(|job| &job["updated_at"]).collect();
    assert!(times.windows(2).all(|pair| pair[0] != pair[1]), "{times:?}");
    assert!(seen.iter().all(|job| job["start_at"] == seen[0]["start_at"]));
}

#[tokio::test]
async fn a_put_while_running_is_a_409() {
    let bench = Bench::start().await;
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    bench.put_job(window(2)).await;
    bench.emulator.advance(&bench.portal, Status::Running).unwrap();
    let reply = bench.put_job(window(3)).await;
    assert_eq!((reply.status, reply.header("content-type")), (409, "application/problem+json"));
    assert!(!bench.emulator.calls().last().unwrap().effect);
    bench.emulator.advance(&bench.portal, Status::Completed).unwrap();
    assert_eq!(bench.put_job(window(3)).await.status, 202);
}

#[tokio::test]
async fn q1_says_what_a_put_does_to_a_waiting_run() {
    for (q1, status, shown, runs) in [(Q1::Replace, 202, 3, 2), (Q1::Queue, 202, 2, 2), (Q1::Refuse, 409, 2, 1)] {
        let bench = Bench::start().await;
        bench.emulator.set_manual(&bench.portal, true).unwrap();
        bench.emulator.set_q1(q1);
        bench.put_job(window(2)).await;
        assert_eq!(bench.put_job(window(3)).await.status, status, "{q1:?}");
        assert_eq!(bench.get_job().await["start_at"], json!(hours_ago(shown)), "{q1:?}");
        assert_eq!(bench.emulator.runs(&bench.portal).unwrap().len(), runs);
    }
}

#[tokio::test]
async fn a_queued_run_follows_the_first() {
    let bench = Bench::start().await;
    bench.emulator.set_q1(Q1::Queue);
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    bench.put_job(window(2)).await;
    bench.put_job(window(3)).await;
    bench.emulator.set_manual(&bench.portal, false).unwrap();
    let both = |emulator: &konnect_emulator::Emulator| {
        let runs = emulator.runs(&bench.portal).ok()?;
        runs.iter().all(|run| run.status == Status::Completed).then_some(runs)
    };
    let runs = bench.emulator.wait_for(LIMIT, both).await.unwrap();
    assert!(runs[0].ended_at <= runs[1].started_at);
}

#[tokio::test]
async fn q2_says_how_far_a_running_job_reaches() {
    for (q2, status) in [(Q2::Portal, 202), (Q2::Region, 409)] {
        let bench = Bench::start().await;
        bench.emulator.set_q2(q2);
        let other = bench.emulator.add_portal("acme", "eu", "other").unwrap();
        bench.emulator.set_manual(&other, true).unwrap();
        bench.emulator.foreign_run(&other, window(2)).unwrap();
        bench.emulator.advance(&other, Status::Running).unwrap();
        assert_eq!(bench.put_job(window(2)).await.status, status, "{q2:?}");
    }
}

#[tokio::test]
async fn a_foreign_run_obeys_the_rules_of_put() {
    let bench = Bench::start().await;
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    assert_eq!(bench.emulator.foreign_run(&bench.portal, window(2)).unwrap(), 1);
    assert_eq!(bench.emulator.runs(&bench.portal).unwrap()[0].by, "acme/somebody-else");
    bench.emulator.advance(&bench.portal, Status::Running).unwrap();
    assert!(matches!(bench.emulator.foreign_run(&bench.portal, window(2)), Err(Error::Refused(_))));
    assert!(bench.emulator.calls().is_empty(), "it is nobody's call");
}

#[tokio::test]
async fn the_next_runs_fail_on_demand() {
    let bench = Bench::start().await;
    bench.emulator.emit(&bench.portal, Emit::at(1, hours_ago(2)).lost()).unwrap();
    bench.emulator.fail_next(&bench.portal, 1).unwrap();
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Failed, LIMIT).await.unwrap();
    assert!(bench.receiver.events().is_empty());
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    assert_eq!(bench.receiver.events().len(), 1);
}

#[tokio::test]
async fn a_replay_that_cannot_be_delivered_fails() {
    let bench = Bench::start().await;
    bench.emulator.emit(&bench.portal, Emit::at(1, hours_ago(2)).lost()).unwrap();
    bench.receiver.set_outage(Outage::Answer(500));
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Failed, LIMIT).await.unwrap();
    assert_eq!(bench.emulator.deliveries().len(), 5);
    bench.emulator.set_webhook(&bench.portal, None).unwrap();
    bench.put_job(window(2)).await;
    let failed = |emulator: &konnect_emulator::Emulator| emulator.runs(&bench.portal).ok()?.get(1)?.failure.clone();
    assert_eq!(bench.emulator.wait_for(LIMIT, failed).await.unwrap(), "no webhook is enabled");
}

#[tokio::test]
async fn a_replay_goes_to_the_webhook_of_when_it_runs() {
    let bench = Bench::start().await;
    let moved = Receiver::start(ReceiverOptions::default()).await.unwrap();
    bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(2)).lost()).unwrap();
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    bench.put_job(window(2)).await;
    bench.emulator.set_webhook(&bench.portal, Webhook::new(moved.url())).unwrap();
    bench.emulator.advance(&bench.portal, Status::Running).unwrap();
    moved.wait_for_events(2, LIMIT).await.unwrap();
    assert!(bench.receiver.events().is_empty());
}

#[tokio::test]
async fn any_word_and_any_json_can_be_shown() {
    let bench = Bench::start().await;
    bench.put_job(window(2)).await;
    bench.emulator.advance(&bench.portal, Status::from("paused")).unwrap();
    assert_eq!(bench.get_job().await["status"], "paused");
    assert_eq!(bench.put_job(window(3)).await.status, 409, "nobody knows what it means, so it is busy");
    let odd = json!({"status": 7, "start_at": "yesterday"});
    bench.emulator.force_job(&bench.portal, odd.clone()).unwrap();
    assert_eq!(bench.get_job().await, odd);
    bench.emulator.force_job(&bench.portal, None).unwrap();
    assert_eq!(bench.get_job().await["status"], "paused");
}

#[tokio::test]
async fn what_is_waited_for_in_vain_is_an_error() {
    let bench = Bench::start().await;
    let limit = Duration::from_millis(20);
    let never = bench.emulator.wait_for_status(&bench.portal, &Status::Running, limit).await;
    assert!(matches!(never, Err(Error::Timeout(_))));
}
