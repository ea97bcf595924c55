//! `list`: the order that is shown is the order in which the operator sends.

use chrono::{SubsecRound, TimeDelta, Utc};
use konnect_emulator::{Q2, Status, Window};

use super::Plugin;
use crate::support::{JobBuilder, World, ready_reason, window_of};

const OTHER_PORTAL: &str = "00000000-0000-4000-8000-000000000002";

/// The cells of the line of `name`.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let cells = |line: &'a str| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>();
    table
        .lines()
        .map(cells)
        .find(|cells| cells.get(1) == Some(&name))
        .unwrap_or_else(|| panic!("no {name} in\n{table}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_in_the_order_that_is_shown() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let now = Utc::now().trunc_subsecs(0);
    let job = |name: &str, from: i64| world.job(name).window(now - TimeDelta::hours(from), now - TimeDelta::hours(1));
    world.create(job("runs", 4)).await;
    world.wait_for_reason("runs", "Accepted").await;
    // Not in the order of their windows, nor of their names.
    for (name, from) in [("b-third", 3), ("c-first", 30), ("a-second", 20), ("d-fourth", 2)] {
        world.create(job(name, from)).await;
    }
    world.create(job("held", 100).suspended()).await;
    world.create(world.job("ahead").window(now - TimeDelta::hours(90), now + TimeDelta::hours(1))).await;
    world.add_portal("eu", OTHER_PORTAL);
    world.create(JobBuilder::portal("tokenless", "eu", OTHER_PORTAL).secret("missing", "token")).await;
    for (name, reason) in [("d-fourth", "Queued"), ("held", "Suspended"), ("ahead", "WaitingForWindowEnd")] {
        world.wait_for_reason(name, reason).await;
    }
    world.wait_for_reason("tokenless", "WaitingForCredentials").await;
    world.wait_now("c-first", "the next", |job| job.status.as_ref().unwrap().blocked_by.is_some()).await;

    let table = Plugin::of(&world).done(&["list"]).await;
    assert_eq!(row(&table, "runs")[..3], ["now", "runs", "Accepted"], "{table}");
    let in_line = ["c-first", "a-second", "b-third", "d-fourth"];
    for (place, name) in (1..).zip(in_line) {
        let row = row(&table, name);
        assert_eq!((row[0], row[2], row[row.len() - 1]), (place.to_string().as_str(), "Queued", "runs"), "{table}");
    }
    for (name, cause) in
        [("held", "resume"), ("ahead", "the end of its window"), ("tokenless", "a correction, see its status")]
    {
        let row = row(&table, name);
        assert_eq!((row[0], row[row.len() - 1]), ("-", cause), "{table}");
    }
    let shown: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(shown[1..6], ["runs", "c-first", "a-second", "b-third", "d-fourth"], "{table}");

    world.emulator.set_manual(&world.portal, false).unwrap();
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    for name in in_line {
        world.wait_until_complete(name).await;
    }
    let mut expected = Vec::new();
    for name in ["runs"].iter().chain(&in_line) {
        expected.push(window_of(&world.get(name).await));
    }
    let sent: Vec<Window> = world.runs().iter().map(|run| run.window).collect();
    assert_eq!(sent, expected, "the operator's order");

    let left = Plugin::of(&world).run(&["list"]).await;
    assert!(!left.out.contains("a-second") && left.err.contains("Not shown: 5 finished (--finished)."), "{left:#?}");
    assert_eq!(row(&Plugin::of(&world).done(&["list", "--finished"]).await, "a-second")[2], "Completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_from_outside_is_said() {
    let world = World::new().await;
    world.foreign_run(&world.portal);
    world.create(world.job("waits")).await;
    world.wait_for_reason("waits", "BlockedByRemoteJob").await;
    let ran = Plugin::of(&world).run(&["list"]).await;
    let row = row(&ran.out, "waits");
    assert_eq!((row[0], row[row.len() - 1]), ("1", "another party's replay at Konnect"), "{ran:#?}");
    assert!(ran.err.contains("PLACE is an estimate from the objects"), "an estimate is called one: {ran:#?}");
}

/// Konnect runs one replay in a region: its 409 is about a run that our target does not show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_konnect_refuses_because_of_somebody_elses_run_is_next_and_not_under_way() {
    // The refused job is not retried while the table is compared.
    let builder = World::builder().flag("--retry-interval=5m");
    let world = builder.emulator(|options| options.q2 = Q2::Region).build().await;
    let other = world.add_portal("eu", OTHER_PORTAL);
    world.foreign_run(&other);
    world.emulator.advance(&other, Status::Running).unwrap();
    // So fresh that only the operator, which waits less, knows that it can be sent.
    let now = Utc::now().trunc_subsecs(0);
    world.create(world.job("refused").window(now - TimeDelta::hours(1), now)).await;
    let refused = world.wait_for_reason("refused", "BlockedByRemoteJob").await;
    assert!(refused.status.unwrap().submission.is_some(), "a request is on record");
    world.create(world.job("older").window(now - TimeDelta::hours(30), now - TimeDelta::hours(29))).await;
    world.wait_for_reason("older", "Queued").await;
    let plugin = Plugin::of(&world);

    let table = plugin.done(&["list"]).await;
    for (name, place, waits_for) in [("refused", "1", "another party's replay at Konnect"), ("older", "2", "refused")] {
        let cells = row(&table, name);
        assert_eq!((cells[0], cells[cells.len() - 1]), (place, waits_for), "{table}");
    }
    let told = plugin.done(&["status", "refused"]).await;
    assert!(told.contains("Waits for   another party's replay at Konnect\n"), "{told}");
    assert!(told.contains("under way (409)"), "{told}");
    let said = plugin.done(&["suspend", "refused"]).await;
    assert!(said.contains("Nothing is asked of Konnect for it"), "nothing of it is under way: {said}");
    world.wait_for_reason("refused", "Suspended").await;
    let table = plugin.done(&["list"]).await;
    let cells = row(&table, "refused");
    assert_eq!((cells[0], cells[cells.len() - 1]), ("-", "resume"), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_all_namespaces_and_of_none() {
    let world = World::builder().without_operator().build().await;
    let empty = Plugin::of(&world).run(&["list"]).await;
    assert_eq!((empty.code, empty.out.as_str()), (Some(0), ""));
    assert_eq!(empty.err, format!("No unfinished jobs in namespace {}.\n", world.namespace));

    let job = world.create(world.job("waits")).await;
    assert_eq!(ready_reason(&job), "");
    let table = Plugin::of(&world).done(&["list"]).await;
    let cells = row(&table, "waits");
    assert_eq!(cells[..3], ["1", "waits", "Unseen"], "{table}");
    assert_eq!((cells[cells.len() - 2], cells[cells.len() - 1]), ("6d21h", "the operator"), "{table}");

    let mut everywhere = super::binary(&["list", "-A"]);
    everywhere.env("KUBECONFIG", Plugin::of(&world).kubeconfig());
    let ran = tokio::task::spawn_blocking(|| super::run(everywhere)).await.unwrap();
    let here = ran.out.lines().find(|line| line.starts_with(&format!("{} ", world.namespace)));
    assert!(ran.out.starts_with("NAMESPACE") && here.is_some_and(|line| line.contains(" waits ")), "{ran:#?}");
}
