//! Each open question both ways, lags, stuck states, odd times and clocks, as a client sees them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use konnect_emulator::{
    Emit, Emulator, Granularity, Lag, MISPRINTED_ZERO_TIME, NewestEnd, Options, Outage, PutAnswer, PutStatus,
    PutWhileOff, Q2, Q3, Q4, Q5, Q6, Rounding, Status, TimeFormat, Timings, Unit, UnsetTime, UpdatedAt, Webhook,
    Window, ZERO_TIME,
};
use serde_json::{Value, json};

use crate::support::{Bench, LIMIT, hours_ago, quick, window};

/// A client's reading of a time on the wire.
fn time(text: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap().to_utc()
}

/// A job moved by hand, so that every state can be looked at.
async fn by_hand() -> Bench {
    let bench = Bench::start().await;
    bench.emulator.set_manual(&bench.portal, true).unwrap();
    bench
}

impl Bench {
    async fn advance(&self, word: &str) -> Value {
        self.emulator.advance(&self.portal, Status::from(word)).unwrap();
        self.get_job().await
    }

    async fn ended(&self) -> Status {
        let ended =
            |emulator: &Emulator| emulator.job(&self.portal).ok().map(|job| job.status).filter(Status::is_ended);
        self.emulator.wait_for(LIMIT, ended).await.unwrap()
    }
}

#[tokio::test]
async fn q3_says_whether_completed_means_delivered() {
    for (q3, expected) in [(Q3::Delivered, Status::Failed), (Q3::HandedOver, Status::Completed)] {
        let bench = Bench::start().await;
        bench.emulator.set_q3(q3);
        bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(2)).lost()).unwrap();
        bench.receiver.set_outage(Outage::Answer(403));
        bench.put_job(window(2)).await;
        assert_eq!(bench.ended().await, expected, "{q3:?}");
    }
}

#[tokio::test]
async fn what_was_handed_over_arrives_after_completed() {
    let bench = Bench::with(Options { retry_scale: 0.2, ..quick() }).await;
    bench.emulator.set_q3(Q3::HandedOver);
    bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(2)).lost()).unwrap();
    bench.receiver.set_outage(Outage::Answer(500));
    bench.put_job(window(2)).await;
    bench.emulator.wait_for_status(&bench.portal, &Status::Completed, LIMIT).await.unwrap();
    assert_eq!(bench.receiver.events().len(), 0);
    bench.receiver.set_outage(None);
    bench.receiver.wait_for_events(2, LIMIT).await.unwrap();
    let counted = |emulator: &Emulator| (emulator.runs(&bench.portal).ok()?[0].events == 2).then_some(());
    bench.emulator.wait_for(LIMIT, counted).await.unwrap();
    assert_eq!(bench.emulator.job(&bench.portal).unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_run_told_to_fail_fails_whatever_q3_says() {
    let bench = Bench::start().await;
    bench.emulator.set_q3(Q3::HandedOver);
    bench.emulator.fail_next(&bench.portal, 1).unwrap();
    bench.put_job(window(2)).await;
    assert_eq!(bench.ended().await, Status::Failed);
}

#[tokio::test]
async fn q4_leaves_out_what_is_not_stored_yet() {
    for (minutes, expected) in [(0, 3), (10, 2)] {
        let bench = Bench::start().await;
        let ingest_lag = Duration::from_secs(minutes * 60);
        bench.emulator.set_q4(Q4 { ingest_lag, ..Q4::default() });
        bench.emulator.emit(&bench.portal, Emit::at(2, hours_ago(1)).lost()).unwrap();
        bench.emulator.emit(&bench.portal, Emit::now(1).lost()).unwrap();
        bench.put_job(Window::new(hours_ago(2), Utc::now())).await;
        assert_eq!(bench.ended().await, Status::Completed);
        assert_eq!(bench.emulator.runs(&bench.portal).unwrap()[0].events, expected, "{minutes} min");
    }
}

#[tokio::test]
async fn q4_says_how_fresh_an_end_may_be() {
    let (minute_ago, ahead) = (Utc::now() - TimeDelta::minutes(1), Utc::now() + TimeDelta::hours(1));
    for (newest_end, fresh, future) in
        [(NewestEnd::Any, 202, 202), (NewestEnd::Now, 202, 400), (NewestEnd::Ingested, 400, 400)]
    {
        let bench = by_hand().await;
        bench.emulator.set_q4(Q4 { ingest_lag: Duration::from_hours(1), newest_end });
        for (end, expected) in [(hours_ago(2), 202), (minute_ago, fresh), (ahead, future)] {
            let reply = bench.put_job(Window::new(hours_ago(3), end)).await;
            assert_eq!(reply.status, expected, "{newest_end:?} {end}: {}", reply.body);
        }
        let start_ahead = bench.put_job(Window::new(ahead, ahead)).await;
        assert_eq!(start_ahead.json()["invalid_parameters"][0]["field"], "start_at");
    }
}

#[tokio::test]
async fn q5_says_when_updated_at_moves() {
    for (q5, moves) in [(Q5::EachChange, true), (Q5::OnlyPut, false)] {
        let bench = by_hand().await;
        bench.emulator.set_q5(q5);
        let put = bench.put_job(window(2)).await.json();
        assert_eq!(bench.get_job().await, put);
        for word in ["pending", "running", "completed"] {
            let job = bench.advance(word).await;
            assert_eq!((&job["status"], job["updated_at"] != put["updated_at"]), (&json!(word), moves), "{q5:?}");
        }
        let again = bench.put_job(window(2)).await.json();
        assert!(time(&again["updated_at"]) > time(&put["updated_at"]), "a PUT always moves it");
    }
}

#[tokio::test]
async fn q6_says_whether_failed_keeps_the_window() {
    for (q6, start) in [(Q6::KeepsWindow, json!(hours_ago(2))), (Q6::ClearsWindow, json!(ZERO_TIME))] {
        let bench = by_hand().await;
        bench.emulator.set_q6(q6);
        bench.put_job(window(2)).await;
        bench.advance("running").await;
        let job = bench.advance("failed").await;
        assert_eq!((&job["status"], &job["start_at"]), (&json!("failed"), &start), "{q6:?}");
        assert_ne!(job["updated_at"], ZERO_TIME);
        bench.put_job(window(3)).await;
        assert_eq!(bench.advance("completed").await["start_at"], json!(hours_ago(3)), "only a failure clears");
    }
}

#[tokio::test]
async fn a_get_lags_behind_a_put_by_time() {
    let bench = by_hand().await;
    bench.emulator.set_get_lag(&bench.portal, [Lag::Time(Duration::from_hours(1))]).unwrap();
    assert_eq!(bench.put_job(window(2)).await.json()["status"], "accepted", "the PUT's own answer does not lag");
    assert_eq!(bench.get_job().await["status"], "unconfigured");
    assert_eq!(bench.emulator.job(&bench.portal).unwrap().status, Status::Accepted, "nor does the handle");
    bench.emulator.set_get_lag(&bench.portal, [Lag::Time(Duration::from_millis(30))]).unwrap();
    while bench.get_job().await["status"] == "unconfigured" {}
    assert_eq!(bench.get_job().await["start_at"], json!(hours_ago(2)), "it is seen once the lag has passed");
}

#[tokio::test]
async fn a_later_get_can_show_an_older_state() {
    let bench = by_hand().await;
    bench.put_job(window(2)).await;
    bench.advance("pending").await;
    bench.advance("running").await;
    let lags = [Lag::Changes(0), Lag::Changes(2), Lag::Changes(1), Lag::Changes(99)];
    bench.emulator.set_get_lag(&bench.portal, lags).unwrap();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(bench.get_job().await["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["running", "accepted", "pending", "unconfigured", "running"]);
    bench.emulator.set_get_lag(&bench.portal, []).unwrap();
    assert_eq!(bench.get_job().await["status"], "running");
}

#[tokio::test]
async fn a_lagging_get_shows_the_whole_earlier_job() {
    let bench = by_hand().await;
    bench.put_job(window(2)).await;
    let before = bench.advance("completed").await;
    bench.put_job(window(3)).await;
    bench.emulator.set_get_lag(&bench.portal, [Lag::Changes(1)]).unwrap();
    assert_eq!(bench.get_job().await, before, "the very job that was there before the PUT");
}

#[tokio::test]
async fn a_run_hangs_in_a_state_until_it_is_released() {
    for state in [Status::Accepted, Status::Pending, Status::Running] {
        let bench = Bench::start().await;
        let other = bench.emulator.add_portal("acme", "eu", "other").unwrap();
        bench.emulator.set_webhook(&other, konnect_emulator::Webhook::new(bench.receiver.url())).unwrap();
        bench.emulator.set_q2(Q2::Portal);
        bench.emulator.set_stuck(&bench.portal, [state.clone()]).unwrap();
        bench.put_job(window(2)).await;
        bench.emulator.wait_for_status(&bench.portal, &state, LIMIT).await.unwrap();
        bench.emulator.foreign_run(&other, window(2)).unwrap();
        bench.emulator.wait_for_status(&other, &Status::Completed, LIMIT).await.unwrap();
        assert_eq!(bench.get_job().await["status"], state.as_str(), "others have run meanwhile");
        bench.emulator.set_stuck(&bench.portal, []).unwrap();
        assert_eq!(bench.ended().await, Status::Completed);
    }
}

#[tokio::test]
async fn updated_at_is_constant_missing_or_in_the_future() {
    let bench = by_hand().await;
    let set = |updated_at| bench.emulator.set_updated_at(&bench.portal, updated_at).unwrap();
    set(UpdatedAt::Constant(hours_ago(30)));
    let put = bench.put_job(window(2)).await.json();
    assert_eq!(put["updated_at"], json!(hours_ago(30)));
    assert_eq!(bench.advance("running").await["updated_at"], put["updated_at"]);
    set(UpdatedAt::Missing);
    let job = bench.get_job().await;
    assert_eq!((job.get("updated_at"), &job["status"]), (None, &json!("running")));
    set(UpdatedAt::Ahead(Duration::from_hours(1)));
    let ahead = time(&bench.advance("completed").await["updated_at"]) - Utc::now();
    assert!((TimeDelta::minutes(59)..=TimeDelta::hours(1)).contains(&ahead), "{ahead}");
    set(UpdatedAt::Backwards(hours_ago(0)));
    let first = bench.put_job(window(2)).await.json();
    let then = bench.advance("running").await;
    assert!(time(&then["updated_at"]) < time(&first["updated_at"]), "each change shows an earlier time");
}

#[tokio::test]
async fn times_are_written_with_fractions_and_offsets() {
    let bench = by_hand().await;
    let times = TimeFormat { fraction_digits: Some(6), offset_minutes: Some(330), ..TimeFormat::default() };
    bench.emulator.set_time_format(&bench.portal, times).unwrap();
    assert_eq!(bench.get_job().await["start_at"], ZERO_TIME);
    let put = bench.put_job(window(2)).await.json();
    let text = put["start_at"].as_str().unwrap();
    assert!(text.ends_with(".000000+05:30"), "{text}");
    assert_eq!(time(&put["start_at"]), hours_ago(2), "it is the same time");
    assert_eq!(bench.get_job().await, put);
}

#[tokio::test]
async fn an_unset_time_is_valid_or_as_the_documentation_prints_it() {
    let bench = by_hand().await;
    for (unset, expected) in [(UnsetTime::Valid, ZERO_TIME), (UnsetTime::Misprinted, MISPRINTED_ZERO_TIME)] {
        let times = TimeFormat { unset, ..TimeFormat::default() };
        bench.emulator.set_time_format(&bench.portal, times).unwrap();
        let job = bench.get_job().await;
        assert_eq!(
            ["start_at", "end_at", "updated_at"].map(|key| job[key].clone()),
            [json!(expected), json!(expected), json!(expected)]
        );
    }
}

#[tokio::test]
async fn a_window_is_shown_and_sent_in_whole_units() {
    let bench = by_hand().await;
    let granularity = Granularity { unit: Unit::Hour, start: Rounding::Floor, end: Rounding::Ceiling };
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.granularity = granularity).unwrap();
    let (start, end) = (time(&json!("2026-01-01T08:59:30Z")), time(&json!("2026-01-01T09:00:01Z")));
    let shift = hours_ago(48) - start;
    let shift = TimeDelta::hours(shift.num_hours());
    let put = bench.put_job(Window::new(start + shift, end + shift)).await.json();
    assert_eq!(time(&put["start_at"]) - shift, time(&json!("2026-01-01T08:00:00Z")));
    assert_eq!(time(&put["end_at"]) - shift, time(&json!("2026-01-01T10:00:00Z")));
    assert_eq!(bench.get_job().await, put);
    let lost = bench.emulator.emit(&bench.portal, Emit::at(1, start + shift - TimeDelta::minutes(30)).lost()).unwrap();
    bench.advance("running").await;
    assert_eq!(bench.receiver.wait_for_events(1, LIMIT).await.unwrap()[0].trace_id, lost[0]);
}

#[tokio::test]
async fn a_put_is_answered_with_its_job_or_without_one() {
    for answer in [PutAnswer::Job, PutAnswer::Empty, PutAnswer::Nothing, PutAnswer::Old] {
        let bench = by_hand().await;
        let old = bench.get_job().await;
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.put_answer = answer).unwrap();
        let put = bench.put_job(window(2)).await;
        assert_eq!(put.status, 202);
        let now = bench.get_job().await;
        assert_eq!(now["status"], "accepted", "it was taken, with every answer");
        match answer {
            PutAnswer::Job => assert_eq!(put.json(), now),
            PutAnswer::Empty => assert_eq!(put.json(), json!({})),
            PutAnswer::Nothing => assert_eq!(put.body, ""),
            PutAnswer::Old => assert_eq!(put.json(), old),
        }
    }
}

#[tokio::test]
async fn the_clock_of_konnect_can_be_off() {
    let bench = by_hand().await;
    let date = |reply: &crate::support::Reply| -> DateTime<Utc> {
        httpdate::parse_http_date(reply.header("date")).unwrap().into()
    };
    let (job, nowhere) = (bench.url("audit-log-replay-job"), bench.url("nowhere"));
    for hours in [-2, 2] {
        bench.emulator.set_clock_offset(TimeDelta::hours(hours));
        for url in [&job, &nowhere] {
            let off = date(&bench.get(url).await) - Utc::now();
            assert!((off - TimeDelta::hours(hours)).abs() < TimeDelta::minutes(1), "{off}");
        }
    }
    assert_eq!(bench.put_job(Window::new(hours_ago(167), hours_ago(166))).await.status, 400, "it has left retention");
    assert_eq!(bench.put_job(Window::new(hours_ago(3), hours_ago(-1))).await.status, 202, "it is not the future there");
    assert!(time(&bench.get_job().await["updated_at"]) > Utc::now() + TimeDelta::minutes(119));
    bench.emulator.set_clock_offset(TimeDelta::hours(-2));
    assert_eq!(bench.put_job(window(1)).await.status, 400, "there it is the future");
    assert_eq!(bench.put_job(Window::new(hours_ago(169), hours_ago(3))).await.status, 202, "it is still kept there");
}

#[tokio::test]
async fn the_last_change_wins_whether_of_one_target_or_of_all() {
    let mut options = Options { timings: Timings::all(Duration::ZERO), ..quick() };
    options.behaviour.q5 = Q5::OnlyPut;
    let bench = Bench::with(options).await;
    let behaviour = || bench.emulator.behaviour(&bench.portal).unwrap();
    assert_eq!(behaviour().q5, Q5::OnlyPut, "from the start");
    bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.q6 = Q6::ClearsWindow).unwrap();
    bench.emulator.set_q3(Q3::HandedOver);
    assert_eq!((behaviour().q6, behaviour().q3), (Q6::ClearsWindow, Q3::HandedOver), "others are left alone");
    bench.emulator.change_every_behaviour(|behaviour| behaviour.q6 = Q6::KeepsWindow);
    assert_eq!(behaviour().q6, Q6::KeepsWindow);
    let later = bench.emulator.add_portal("acme", "eu", "later").unwrap();
    assert_eq!(bench.emulator.behaviour(&later).unwrap(), behaviour());
}

#[tokio::test]
async fn an_accepted_put_is_a_202_or_the_201_of_the_page() {
    for (put_status, code) in [(PutStatus::Accepted, 202), (PutStatus::Created, 201)] {
        let bench = Bench::start().await;
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.put_status = put_status).unwrap();
        let answer = bench.put_job(window(2)).await;
        assert_eq!((answer.status, &answer.json()["status"]), (code, &json!("accepted")));
    }
}

#[tokio::test]
async fn a_put_while_the_webhook_is_off_is_accepted_or_refused() {
    for (put_while_off, code, runs) in
        [(PutWhileOff::Accepted, 202, 1), (PutWhileOff::Invalid, 400, 0), (PutWhileOff::Conflict, 409, 0)]
    {
        let bench = Bench::start().await;
        bench.emulator.change_behaviour(&bench.portal, |behaviour| behaviour.put_while_off = put_while_off).unwrap();
        let off = Webhook::new(bench.receiver.url()).disabled();
        for webhook in [None, Some(off)] {
            bench.emulator.set_webhook(&bench.portal, webhook).unwrap();
            let answer = bench.put_job(window(2)).await;
            assert_eq!(answer.status, code, "{put_while_off:?}: {}", answer.body);
            assert_eq!(bench.emulator.runs(&bench.portal).unwrap().len(), runs, "{put_while_off:?}");
            if put_while_off == PutWhileOff::Accepted {
                assert_eq!(bench.ended().await, Status::Failed);
                break;
            }
        }
        bench.emulator.set_webhook(&bench.portal, Webhook::new(bench.receiver.url())).unwrap();
        assert_eq!(bench.put_job(window(2)).await.status, 202, "it is on again");
    }
}
