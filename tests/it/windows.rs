//! Windows: too old, not over yet, of no length, with fractions of a second.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::Emit;
use konnect_replay_core::api::{ConditionType, WindowSpec};

use crate::support::{World, condition, is_true};

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_out_of_retention_fails_without_a_request() {
    let world = World::new().await;
    // The second is so near the limit that Konnect's clock is asked first; nobody's clock lets it pass.
    for (name, age) in [("long-gone", TimeDelta::days(30)), ("just-gone", TimeDelta::days(7) + TimeDelta::minutes(2))] {
        world.create(world.job(name).window(now() - age, now() - age + TimeDelta::hours(1))).await;

        let failed = world.wait_until_failed(name).await;

        let condition = condition(&failed, &ConditionType::Failed).unwrap();
        assert_eq!(condition.reason, "WindowExpired");
        assert!(
            condition.message.contains("168 h") && condition.message.contains("nothing was sent"),
            "{}",
            condition.message
        );
        assert!(failed.status.unwrap().failed_time.is_some());
    }
    assert_eq!(world.puts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_job_expires_all_the_same() {
    let world = World::new().await;
    world.create(world.job("held").suspended().window(now() - TimeDelta::days(9), now() - TimeDelta::days(8))).await;
    let failed = world.wait_until_failed("held").await;
    assert_eq!(condition(&failed, &ConditionType::Failed).unwrap().reason, "WindowExpired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_has_not_ended_is_waited_for_and_then_sent() {
    let world = World::new().await;
    let end = now() + TimeDelta::seconds(4);
    let job = world.create(world.job("early").window(end - TimeDelta::hours(1), end)).await;
    let lost = world.lose(&world.portal, &job, 2);

    let waiting = world.wait_for_reason("early", "WaitingForWindowEnd").await;
    assert!(is_true(&waiting, &ConditionType::Reconciling));
    let sent_after = end + TimeDelta::seconds(1);
    let message = &condition(&waiting, &ConditionType::Ready).unwrap().message;
    assert!(message.contains(&sent_after.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)), "{message}");
    world.wait_until_complete("early").await;

    let puts = world.calls("PUT");
    assert_eq!(puts.len(), 1);
    assert!(puts[0].at >= sent_after, "sent at {}, before {sent_after}", puts[0].at);
    world.received_once(&lost).await;
    assert!(world.status_writes("early").await <= 7, "{} status writes", world.status_writes("early").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_ends_more_than_8_days_ahead_is_taken_for_a_mistake() {
    let world = World::new().await;
    let end = now() + TimeDelta::days(9);
    world.create(world.job("typo").window(end - TimeDelta::hours(1), end)).await;
    let stalled = world.wait_for_reason("typo", "InvalidWindow").await;
    assert!(is_true(&stalled, &ConditionType::Stalled) && condition(&stalled, &ConditionType::Reconciling).is_none());
    assert!(!is_true(&stalled, &ConditionType::Finished));
    assert!(world.emulator.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_of_no_length_is_one_instant() {
    let world = World::new().await;
    let instant = now() - TimeDelta::hours(1);
    world.create(world.job("instant").window(instant, instant)).await;
    let at = |time| world.emulator.emit(&world.portal, Emit::at(1, time).lost()).unwrap();
    at(instant - TimeDelta::seconds(1));
    let wanted = at(instant);
    at(instant + TimeDelta::seconds(2));
    world.wait_until_complete("instant").await;
    world.received_once(&wanted).await;
    assert_eq!(world.runs()[0].window.start_at, world.runs()[0].window.end_at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fractions_and_offsets_are_sent_as_whole_seconds_that_leave_nothing_out() {
    let world = World::new().await;
    let mut job = world.job("fractions").build();
    let start = now() - TimeDelta::hours(3);
    let east = chrono::FixedOffset::east_opt(2 * 3600).unwrap();
    job.spec.window = WindowSpec {
        start_at: (start + TimeDelta::milliseconds(900)).with_timezone(&east).to_rfc3339(),
        end_at: (start + TimeDelta::milliseconds(60_001)).to_rfc3339(),
    };
    world.jobs().create(&kube::api::PostParams::default(), &job).await.unwrap();
    let done = world.wait_until_complete("fractions").await;
    let run = &world.runs()[0];
    assert_eq!((run.window.start_at, run.window.end_at), (start, start + TimeDelta::seconds(61)));
    let sent = done.status.unwrap().submission.unwrap().window;
    assert_eq!((sent.start_at, sent.end_at), (start, start + TimeDelta::seconds(61)));
    assert!(world.calls("PUT")[0].body.contains(&start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
}
