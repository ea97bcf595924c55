//! The alerts and the dashboard of deploy/monitoring, against the real operator: each condition that is warned of is brought about
//! with the emulator, a real Prometheus scrapes the binary and evaluates every query, and promtool runs the rules over the very
//! series that were scraped, through hours that nobody waits for.
//!
//! Needs `prometheus` and `promtool` (Debian's package `prometheus`): run by `.ci/run monitoring`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod dashboard;
mod drill;
mod exposition;
mod prometheus;
mod promtool;
mod rules;
#[path = "../../it/support/mod.rs"]
#[allow(unused)] // what the integration tests need of it is not all that is needed here
mod support;

use drill::Drill;
use prometheus::Prometheus;
use rules::ALERTS;

/// What cannot be brought about from outside: a bug. Its rule is tested on the scraped series with one panic more.
const BUG: &str = "KonnectReplayPanics";
/// What needs the operator to be gone.
const GONE: &str = "KonnectReplayNoLeader";

#[test]
fn every_alert_of_the_rules_file_is_drilled() {
    let drilled: Vec<&str> = ALERTS.iter().map(|alert| alert.name).collect();
    assert_eq!(drilled, rules::names());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_alert_is_raised_by_its_condition_and_each_panel_shows_something() {
    let mut drill = Drill::start().await;
    let prometheus = Prometheus::start(&drill.address().await).await;
    let healthy = drill.scrape().await;
    drill.bring_about_all_conditions().await;
    for alert in ALERTS.iter().filter(|alert| ![BUG, GONE].contains(&alert.name)) {
        prometheus.raises(alert.name).await;
    }
    let troubled = (drill.scrape().await, drill.scrape_later().await);
    println!("\nThe dashboard, asked by a real Prometheus of the real operator:\n");
    for (panel, query) in dashboard::queries() {
        let found = prometheus.has(&query).await;
        let eventful = dashboard::EVENTFUL.iter().any(|title| panel.starts_with(title));
        assert!(!eventful || dashboard::is_eventful(&found), "{panel} shows nothing: {query}: {found:#?}");
        println!("{panel:<55} {}", dashboard::brief(&found));
    }
    let standing_by = drill.one_that_cannot_lead().await;
    drill.stop().await;
    prometheus.raises(GONE).await;
    println!("\nThe alerts, as that Prometheus raised them (pending or firing):\n\n{}", prometheus.raised());
    drop(prometheus);

    let cases = promtool::Cases { healthy, troubled, standing_by };
    println!("\npromtool, over the series that were scraped:\n\n{}", promtool::test(&cases));
}
