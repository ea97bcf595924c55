//! What may happen to a request between us and Konnect, and who else may be there.

use std::time::Duration;

use futures::future::join_all;
use konnect_emulator::{Action, Fault, Hold, Lag, PathKind, Q1, Q2, Tls};

use crate::support::{JobBuilder, PATIENCE, World};

const OTHER_PORTAL: &str = "0d0f7b52-0000-4c39-9f3c-1f7f5d6f9f11";

fn put(action: Action) -> Fault {
    Fault::new(action).method("PUT").path(PathKind::ReplayJob).times(1)
}

/// One job through one fault, with a Konnect whose GET lags behind: one run, and the events once.
async fn survives(what: &str, fault: Option<Fault>, lag: &[Lag]) {
    let world = World::builder().flag("--get-lag=2s").build().await;
    world.emulator.set_get_lag(&world.portal, lag.to_vec()).unwrap();
    if let Some(fault) = fault {
        world.emulator.add_fault(fault);
    }
    let job = world.create(world.job("lagging")).await;
    let lost = world.lose(&world.portal, &job, 2);
    world.wait_until_complete("lagging").await;
    assert_eq!(world.runs().len(), 1, "{what}: {:#?}", world.runs());
    world.received_once(&lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_the_answer_and_however_get_lags_it_runs_once() {
    let second = Lag::Time(Duration::from_secs(1));
    let to_and_fro = [Lag::Changes(0), Lag::Changes(1)];
    let cases: Vec<(&str, Option<Fault>, Vec<Lag>)> = vec![
        ("taken, and GET lags", None, vec![second]),
        ("taken, and GET goes to and fro", None, to_and_fro.to_vec()),
        ("taken, the answer cut, GET lags", Some(put(Action::CutAfter)), vec![second]),
        ("taken, the answer cut, GET to and fro", Some(put(Action::CutAfter)), to_and_fro.to_vec()),
        ("not taken, the connection cut, GET lags", Some(put(Action::CutBefore)), vec![second]),
        ("a 503 without effect, GET lags", Some(put(Action::status(503))), vec![second]),
    ];
    join_all(cases.into_iter().map(|(what, fault, lag)| async move { survives(what, fault, &lag).await })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goaway_in_the_middle_of_the_request_over_http_2_is_no_second_run() {
    let folder = std::env::temp_dir().join(format!("konnect-replay-goaway-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let bundle = folder.join("ca.pem");
    let world = World::builder()
        .emulator(|options| options.tls = Some(Tls::SelfSigned { names: vec![] }))
        .without_operator()
        .build()
        .await;
    std::fs::write(&bundle, world.emulator.ca_pem().unwrap()).unwrap();
    world.emulator.add_fault(put(Action::GoAway));
    let job = world.create(world.job("goaway")).await;
    let lost = world.lose(&world.portal, &job, 2);

    let _operator = world.start_operator(&[&format!("--ca-bundle={}", bundle.display())]).await;
    world.wait_until_complete("goaway").await;

    assert_eq!(world.runs().len(), 1);
    world.received_once(&lost).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_that_know_nothing_of_each_other_send_each_window_once() {
    // An operator sees the end of its run if it looks within two poll intervals of another's.
    let world =
        World::builder().pace(Duration::from_secs(1)).flag("--poll-interval=2s").without_operator().build().await;
    // Two that begin at the same moment can slip in between each other's GET and PUT; where Konnect replaces what it has accepted, that
    // is one of the stated assumptions. What is asked here is that neither sends what the other has recorded.
    world.emulator.set_q1(Q1::Refuse);
    let (_one, _two) = (world.start_operator(&[]).await, world.start_operator(&[]).await);
    let now = chrono::Utc::now();
    let names: Vec<String> = (0..4).map(|n| format!("shared-{n}")).collect();
    for (n, name) in (0_i64..).zip(&names) {
        let start = now - chrono::TimeDelta::hours(20 + n);
        world.create(world.job(name).window(start, start + chrono::TimeDelta::minutes(30))).await;
    }
    for name in &names {
        world.wait_until_complete(name).await;
    }
    let mut windows: Vec<_> = world.runs().iter().map(|run| run.window.start_at).collect();
    windows.sort();
    windows.dedup();
    // A job that says it was sent again explains one run more, and no run is without such a word. The reverse does not hold: what one
    // operator has refused to it by a 409, the other can judge first, from the record alone, as taken and over before it looked.
    let (runs, explained) = (world.runs(), names.len() + world.repeats().await);
    assert!(windows.len() == names.len() && runs.len() <= explained, "{explained} explained: {runs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_deleted_while_its_request_is_on_the_wire_leaves_the_target_to_itself() {
    let world = World::new().await;
    let on_the_wire = world.emulator.hold(Hold::before().method("PUT").path(PathKind::ReplayJob).times(1));
    world.create(world.job("deleted")).await;
    world.emulator.wait_held(on_the_wire, PATIENCE).await.unwrap();
    let now = chrono::Utc::now();
    world.create(world.job("next").window(now - chrono::TimeDelta::hours(9), now - chrono::TimeDelta::hours(8))).await;
    world.delete("deleted").await;
    world.emulator.release(on_the_wire).unwrap();

    world.wait_until_complete("next").await;

    let runs = world.runs();
    assert_eq!(runs.len(), 2, "{runs:#?}");
    assert!(runs.iter().all(|run| run.replaced_by.is_none()), "nobody was overwritten: {runs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_deleted_in_doubt_leaves_the_target_to_itself_until_its_request_must_show() {
    let mut world = World::builder()
        .flag("--request-timeout=1s")
        .flag("--get-lag=30s")
        .emulator(|options| options.q2 = Q2::Portal)
        .build()
        .await;
    world.emulator.set_q1(Q1::Replace);
    world.emulator.set_manual(&world.portal, true).unwrap();
    let on_the_wire = world.emulator.hold(Hold::before().method("PUT").path(PathKind::ReplayJob).times(1));
    let deleted = world.create(world.job("deleted")).await;
    world.emulator.wait_held(on_the_wire, PATIENCE).await.unwrap();
    let now = chrono::Utc::now();
    world.create(world.job("next").window(now - chrono::TimeDelta::hours(9), now - chrono::TimeDelta::hours(8))).await;
    world.delete("deleted").await;

    // The operator has given up waiting for an answer, and the object is gone: nothing is left but what it remembers.
    world
        .operator()
        .wait_for_log("that it remembers", |line| {
            line["message"].as_str().is_some_and(|message| message.starts_with("deleted while its request"))
        })
        .await;
    // Time enough for a whole replay elsewhere is time enough for the next one to send, if it were let.
    world.add_portal("eu", OTHER_PORTAL);
    world.create_token("another-token", "token", crate::support::TOKEN.as_bytes()).await;
    world.create(JobBuilder::portal("elsewhere", "eu", OTHER_PORTAL).secret("another-token", "token")).await;
    world.wait_until_complete("elsewhere").await;
    world.wait_for_reason("next", "Queued").await;
    assert_eq!(world.calls("PUT").len(), 1, "none but the one on the wire");
    world.emulator.release(on_the_wire).unwrap();
    world.at_konnect("the late effect", |_| (world.runs().len() == 1).then_some(())).await;
    world.wait_for_reason("next", "BlockedByRemoteJob").await;
    world.emulator.set_manual(&world.portal, false).unwrap();
    world.wait_until_complete("next").await;

    let runs = world.runs();
    assert_eq!((runs.len(), runs[0].window), (2, crate::support::window_of(&deleted)), "{runs:#?}");
    assert!(runs.iter().all(|run| run.replaced_by.is_none()), "nobody was overwritten: {runs:#?}");
}
