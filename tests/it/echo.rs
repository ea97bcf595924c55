//! What Konnect's answer to a request says of it: a window in another form, a success without a job, and no answer at all.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use konnect_emulator::{Action, Fault, PathKind, Reply};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use serde_json::{Value, json};

use crate::support::{World, condition, ready_reason};

fn answer(body: &Value, applied: bool) -> Action {
    Action::Answer(Reply {
        status: 202,
        body: Some(body.to_string()),
        content_type: Some("application/json".to_owned()),
        applied,
        ..Reply::default()
    })
}

fn shown(status: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Value {
    json!({ "status": status, "start_at": start, "end_at": end, "updated_at": Utc::now() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_konnect_rounds_is_taken_and_sent_once() {
    let mut world = World::builder().without_operator().build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let hour = (Utc::now() - TimeDelta::hours(4)).duration_trunc(TimeDelta::hours(1)).unwrap();
    let (start, end) = (hour, hour + TimeDelta::hours(1));
    let rounded = answer(&shown("accepted", start, end), true);
    world.emulator.add_fault(Fault::new(rounded).method("PUT").path(PathKind::ReplayJob));
    let uneven = world.job("rounded").window(start + TimeDelta::seconds(87), end + TimeDelta::seconds(87));
    world.operator = Some(world.start_operator(&[]).await);
    world.create(uneven).await;
    world.wait_for_reason("rounded", "Accepted").await;

    world.emulator.force_job(&world.portal, shown("running", start, end)).unwrap();
    world.wait_for_reason("rounded", "Running").await;
    world.operator = None;
    world.operator = Some(world.start_operator(&[]).await);
    world.more_looks(3).await;
    assert_eq!(ready_reason(&world.get("rounded").await), "Running", "a restart finds it again");
    world.emulator.force_job(&world.portal, shown("completed", start, end)).unwrap();

    let done = world.wait_until_complete("rounded").await;
    let status = done.status.as_ref().unwrap();
    assert_eq!((world.puts(), status.attempts, &status.retries), (1, 1, &None));
    let message = &condition(&done, &ConditionType::Complete).unwrap().message;
    assert!(message.contains("That is not all of"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_that_never_shows_comes_more_slowly_is_given_up_after_the_third_and_told() {
    let world = World::builder().flag("--backoff-base=3s").build().await;
    let fault = Fault::new(answer(&json!({}), false)).method("PUT").path(PathKind::ReplayJob).times(1000);
    world.emulator.add_fault(fault);
    world.create(world.job("never-shown")).await;
    let counted = |n| {
        move |job: &AuditLogReplayJob| {
            job.status.as_ref().and_then(|status| status.retries.as_ref()).is_some_and(|retries| retries.not_shown == n)
        }
    };
    for n in 1..=2 {
        let waiting = world.wait("never-shown", "counted", counted(n)).await;
        assert_eq!(ready_reason(&waiting), "RemoteStateUnknown", "{n}");
    }

    let failed = world.wait_until_failed("never-shown").await;

    let failure = condition(&failed, &ConditionType::Failed).unwrap();
    assert_eq!(failure.reason, "RemoteStateUnknown");
    assert!(failure.message.contains("3 requests with success (2xx)"), "{}", failure.message);
    assert_eq!((world.puts(), failed.status.unwrap().retries.unwrap().not_shown), (3, 3));
    let sent: Vec<_> = world.emulator.calls().into_iter().filter(|c| c.method == "PUT").map(|c| c.at).collect();
    // 3 s and 15 s after the time within which it must show, a fifth more or less.
    assert!(sent[2] - sent[1] > sent[1] - sent[0] + TimeDelta::seconds(4), "{sent:?}");
    let told = async { world.events().await.iter().any(|e| e.reason.as_deref() == Some("RemoteStateUnknown")) };
    assert!(told.await, "an Event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_counted_told_and_come_more_slowly() {
    let world = World::builder().flag("--backoff-base=8s").build().await;
    let fault = Fault::new(Action::status(503)).method("PUT").path(PathKind::ReplayJob).times(2);
    world.emulator.add_fault(fault);
    let job = world.create(world.job("unlucky")).await;
    let lost = world.lose(&world.portal, &job, 1);

    let done = world.wait_until_complete("unlucky").await;

    let status = done.status.unwrap();
    assert_eq!((status.attempts, status.retries.unwrap().not_taken, world.runs().len()), (1, 2, 1));
    assert_eq!(world.puts(), 3);
    // By the record, not by the clock of a busy machine: at once after the first, and a backoff base (8 s) less a fifth after the second.
    let wait_after = |count: u32| {
        let counted = |job: &AuditLogReplayJob| job.status.as_ref()?.retries.clone().filter(|r| r.not_taken == count);
        let versions = world.history.of("unlucky");
        let (job, retries) = versions.iter().find_map(|job| Some((job, counted(job)?))).unwrap();
        retries.next_time.unwrap() - job.status.as_ref().unwrap().submission.as_ref().unwrap().end_time.unwrap()
    };
    assert!(wait_after(1) <= TimeDelta::seconds(1), "{}", wait_after(1));
    assert!(wait_after(2) >= TimeDelta::seconds(6), "{}", wait_after(2));
    let told = world.events().await.iter().any(|e| e.reason.as_deref() == Some("NotTaken"));
    assert!(told, "an Event");
    world.received_once(&lost).await;
}
