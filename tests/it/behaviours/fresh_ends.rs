//! Q4: how fresh the end of a window may be, and which events are stored by then.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Emit, NewestEnd, Q4};

use super::{each_ends_as_it_must, ends, portal_id, row};
use crate::support::{JobBuilder, World};

/// Nothing at Konnect tells that an event was not stored yet: the job is complete without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_stored_yet_is_missing_from_a_complete_job() {
    let world = super::world().await;
    let lag = Duration::from_hours(2);
    let target = world.add_portal("eu", &portal_id(0));
    let q4 = Q4 { ingest_lag: lag, newest_end: NewestEnd::Now };
    world.emulator.change_behaviour(&target, |behaviour| behaviour.q4 = q4).unwrap();
    let job = world.create(super::one_try(JobBuilder::portal("not-stored", "eu", &portal_id(0)))).await;
    let stored = world.lose(&target, &job, 2);
    let fresh = Emit::at(1, Utc::now() - TimeDelta::minutes(90)).lost();
    let fresh = world.emulator.emit(&target, fresh).unwrap();
    ends(&world, &target, &row("not-stored", |_| {}), &stored).await;
    assert_eq!(world.emulator.runs(&target).unwrap()[0].events, 2, "the window holds three");
    assert!(world.receiver.events().iter().all(|event| event.trace_id != fresh[0]));
}

/// Whatever the newest end may be, an end of an hour ago is not too fresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_end_may_be_the_newest_an_old_one_runs_once() {
    let world = super::world().await;
    let rows = vec![
        row("any", |behaviour| behaviour.q4.newest_end = NewestEnd::Any),
        row("now", |behaviour| behaviour.q4.newest_end = NewestEnd::Now),
        row("ingested", |behaviour| {
            behaviour.q4 = Q4 { ingest_lag: Duration::from_mins(1), newest_end: NewestEnd::Ingested };
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

/// A Konnect that refuses an end that is too fresh (400) takes the same window a little later. The operator does not give it up, and
/// sends it once that is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_too_fresh_is_refused_and_sent_again_until_it_runs_once() {
    let world = World::builder().flag("--backoff-base=1s").build().await;
    let q4 = Q4 { ingest_lag: Duration::from_secs(6), newest_end: NewestEnd::Ingested };
    world.emulator.set_q4(q4);
    let end = Utc::now().trunc_subsecs(0);
    let job = world.job("too-fresh").window(end - TimeDelta::hours(2), end).spec(|spec| spec.backoff_limit = 0);
    let job = world.create(job).await;
    let lost = world.lose(&world.portal, &job, 2);
    ends(&world, &world.portal, &row("too-fresh", |_| {}), &lost).await;
    let calls = world.emulator.calls();
    let answers = calls.iter().filter(|call| call.method == "PUT").filter_map(|call| call.status);
    let answers: Vec<_> = answers.collect();
    let (taken, refused) = answers.split_last().unwrap();
    assert!(*taken == 202 && !refused.is_empty() && refused.iter().all(|status| *status == 400), "{answers:?}");
    assert_eq!(world.get("too-fresh").await.status.unwrap().attempts, 1);
}
