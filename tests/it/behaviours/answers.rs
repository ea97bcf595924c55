//! What Konnect's answers may look like: to a PUT, to a GET, and the times in them.

use std::time::Duration;

use konnect_emulator::{
    Granularity, Lag, PutAnswer, PutStatus, Q3, Q5, Q6, Rounding, TimeFormat, Unauthorized, Unit, UnsetTime, UpdatedAt,
};
use konnect_replay_core::api::ConditionType;

use super::{each_ends_as_it_must, row, world};
use crate::support::{PATIENCE, World, condition};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_put_is_answered_with_it_runs_once() {
    let world = world().await;
    let rows = vec![
        row("the-job", |behaviour| behaviour.put_answer = PutAnswer::Job),
        row("an-empty-object", |behaviour| behaviour.put_answer = PutAnswer::Empty),
        row("no-body", |behaviour| behaviour.put_answer = PutAnswer::Nothing),
        row("the-old-job", |behaviour| behaviour.put_answer = PutAnswer::Old),
        row("a-201", |behaviour| behaviour.put_status = PutStatus::Created),
        row("a-201-without-a-body", |behaviour| {
            (behaviour.put_status, behaviour.put_answer) = (PutStatus::Created, PutAnswer::Nothing);
        }),
        row("an-old-job-and-a-late-get", |behaviour| {
            behaviour.put_answer = PutAnswer::Old;
            behaviour.get_lag = vec![Lag::Time(Duration::from_secs(1))];
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_updated_at_does_it_runs_once() {
    let world = world().await;
    let rows = vec![
        row("missing", |behaviour| behaviour.updated_at = UpdatedAt::Missing),
        row("constant", |behaviour| behaviour.updated_at = UpdatedAt::Constant(chrono::DateTime::UNIX_EPOCH)),
        row("backwards", |behaviour| behaviour.updated_at = UpdatedAt::Backwards(chrono::Utc::now())),
        row("ahead", |behaviour| behaviour.updated_at = UpdatedAt::Ahead(Duration::from_hours(1))),
        row("moved-by-put-only", |behaviour| behaviour.q5 = Q5::OnlyPut),
        row("misprinted-while-unset", |behaviour| behaviour.times.unset = UnsetTime::Misprinted),
        row("with-fractions-and-offset", |behaviour| {
            behaviour.times =
                TimeFormat { fraction_digits: Some(9), offset_minutes: Some(330), ..TimeFormat::default() };
        }),
        row("missing-and-handed-over", |behaviour| {
            (behaviour.updated_at, behaviour.q3, behaviour.q6) = (UpdatedAt::Missing, Q3::HandedOver, Q6::ClearsWindow);
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_disagree_are_one_konnect() {
    let world = world().await;
    let rows = vec![
        row("one-is-a-second-behind", |behaviour| {
            behaviour.get_lag = vec![Lag::Changes(0), Lag::Time(Duration::from_secs(1))];
        }),
        row("one-is-a-change-behind", |behaviour| behaviour.get_lag = vec![Lag::Changes(0), Lag::Changes(1)]),
        row("they-differ-and-updated-at-is-missing", |behaviour| {
            behaviour.get_lag = vec![Lag::Time(Duration::from_secs(1)), Lag::Changes(0)];
            behaviour.updated_at = UpdatedAt::Missing;
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_in_whole_seconds_is_that_which_was_asked_for() {
    let world = world().await;
    let rows = vec![
        row("as-asked-for", |behaviour| behaviour.granularity.unit = Unit::None),
        row("floor-of-seconds", |behaviour| behaviour.granularity.unit = Unit::Second),
        row("ceiling-of-seconds", |behaviour| {
            behaviour.granularity =
                Granularity { unit: Unit::Second, start: Rounding::Ceiling, end: Rounding::Ceiling };
        }),
    ];
    each_ends_as_it_must(&world, rows, |_, _| {}).await;
}

/// The service and the gateway in front of it refuse a token in different words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_is_refused_in_either_form() {
    for unauthorized in [Unauthorized::Problem, Unauthorized::Gateway] {
        let world = World::new().await;
        world.emulator.change_every_behaviour(|behaviour| behaviour.unauthorized = unauthorized);
        world.create_token("wrong", "token", b"kpat_canary-that-nobody-knows").await;
        world.create(world.job("refused").secret("wrong", "token")).await;
        let refused = world.wait_for_reason("refused", "WaitingForCredentials").await;
        let credentials = condition(&refused, &ConditionType::CredentialsValid).unwrap();
        assert_eq!(credentials.reason, "Unauthorized", "{unauthorized:?}: {}", credentials.message);
        assert!(world.runs().is_empty());
        world.create_token("wrong", "token", crate::support::TOKEN.as_bytes()).await;
        world.wait_until_complete("refused").await;
        assert_eq!(world.runs().len(), 1);
        world.emulator.wait_for(PATIENCE, |emulator| emulator.calls().first().cloned()).await.unwrap();
    }
}
