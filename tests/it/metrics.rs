//! `/metrics`, as the real binary serves it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{TimeDelta, Utc};
use konnect_emulator::{Outage, Q3};
use konnect_replay::metrics::JobState;

use crate::support::{Operator, World};

/// Name (as in a query, without what a histogram or counter adds) to type and labels.
type Families = BTreeMap<String, (String, BTreeSet<String>)>;

fn served(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP") && !line.starts_with("# UNIT")) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, type_) = rest.split_once(' ').unwrap();
            families.insert(name.to_owned(), (type_.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let series = line.split(['{', ' ']).next().unwrap();
            let suffixes = ["", "_total", "_bucket", "_sum", "_count"];
            let name = suffixes.iter().filter_map(|s| series.strip_suffix(s)).find(|name| families.contains_key(*name));
            let (_, labels) = families.get_mut(name.unwrap_or_else(|| panic!("{line} has no type"))).unwrap();
            labels.extend(labels_of(line).into_iter().filter(|label| label != "le"));
        }
    }
    families
}

/// No value of ours holds a comma or a brace.
fn labels_of(line: &str) -> Vec<String> {
    let inner = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
    inner.split(',').filter_map(|pair| pair.split_once('=')).map(|(label, _)| label.to_owned()).collect()
}

/// The rows of the tables of docs/metrics.md, in cells.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = include_str!("../../docs/metrics.md").lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

fn is_metric(cells: &[&str]) -> bool {
    ["gauge", "counter", "histogram"].contains(&cells[2])
}

/// The metrics that docs/metrics.md lists: name, type, labels.
fn documented() -> Families {
    let metrics = rows().into_iter().filter(|cells| is_metric(cells));
    metrics
        .map(|cells| {
            let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
            let name = cells[1].trim_matches('`');
            let name = if cells[2] == "counter" { name.strip_suffix("_total").unwrap() } else { name };
            (name.to_owned(), (cells[2].to_owned(), labels.filter(|label| !label.is_empty()).collect()))
        })
        .collect()
}

fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

async fn leads(replica: &Operator) {
    replica.wait_for_log("that it leads", |line| line["message"] == "leading").await;
}

#[test]
fn the_states_that_are_documented_are_those_there_are() {
    let states: Vec<&str> = rows().iter().filter(|cells| !is_metric(cells)).map(|cells| cells[1]).collect();
    assert_eq!(states, JobState::ALL.map(|state| format!("`{}`", state.as_str())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_served_after_jobs_of_every_kind_is_what_is_documented() {
    let mut world = World::new().await;
    // Handed over, and not taken by the receiver: Konnect says completed all the same.
    world.emulator.set_q3(Q3::HandedOver);
    world.receiver.set_outage(Outage::Answer(500));
    let job = world.create(world.job("undelivered")).await;
    world.lose(&world.portal, &job, 1);
    let done = world.wait_until_complete("undelivered").await;
    let webhook = done.status.as_ref().unwrap().webhook.as_ref().unwrap();
    assert_eq!(webhook.last_response_code, Some(500), "{webhook:?}");
    let now = Utc::now();
    world.create(world.job("late").window(now - TimeDelta::hours(170), now - TimeDelta::hours(169))).await;
    world.wait_until_failed("late").await;
    world.create(world.job("held").suspended()).await;
    world.wait_for_reason("held", "Suspended").await;

    let suspended = "auditlogreplay_jobs{konnect_region=\"eu\",state=\"suspended\"}";
    let is_shown = |text: &str| (value(text, suspended) == Some(1.0)).then(|| text.to_owned());
    let text = world.operator().wait_for_metrics("the suspended job", is_shown).await;
    let (served, documented) = (served(&text), documented());
    let names = |families: &Families| families.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&served), names(&documented), "left: served, right: docs/metrics.md");
    assert_eq!(served, documented, "left: served, right: docs/metrics.md");
    assert!(text.ends_with("# EOF\n"));

    for (series, expected) in [
        ("auditlogreplay_leader", 1.0),
        ("auditlogreplay_panics_total", 0.0),
        ("auditlogreplay_jobs{konnect_region=\"eu\",state=\"complete\"}", 1.0),
        ("auditlogreplay_jobs{konnect_region=\"eu\",state=\"failed\"}", 1.0),
        ("auditlogreplay_windows_expired_total{konnect_region=\"eu\"}", 1.0),
        ("auditlogreplay_webhook_enabled{konnect_region=\"eu\",portal=\"6b1e4f0c\"}", 1.0),
        ("auditlogreplay_konnect_requests_total{konnect_region=\"eu\",method=\"PUT\",code=\"202\"}", 1.0),
        ("auditlogreplay_job_duration_seconds_count{konnect_region=\"eu\",outcome=\"complete\"}", 1.0),
        ("auditlogreplay_submission_latency_seconds_count{konnect_region=\"eu\"}", 1.0),
        ("controller_runtime_max_concurrent_reconciles{controller=\"auditlogreplayjob\"}", 16.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series} in\n{text}");
    }
    let ended =
        |status: &konnect_replay_core::api::AuditLogReplayJobStatus| status.completion_time.unwrap().timestamp();
    #[allow(clippy::cast_precision_loss)]
    let completed = ended(done.status.as_ref().unwrap()) as f64;
    for name in ["last_success", "last_undelivered"] {
        let series = format!("auditlogreplay_{name}_timestamp_seconds{{konnect_region=\"eu\"}}");
        assert_eq!(value(&text, &series), Some(completed), "{series} in\n{text}");
    }
    let names_of_objects = ["undelivered", "held", "late", &world.namespace, "konnect-token"];
    assert!(!names_of_objects.iter().any(|name| text.contains(&format!("\"{name}\""))), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_leader_shows_the_jobs() {
    let world = World::builder().without_operator().build().await;
    let first = world.start_replica();
    leads(&first).await;
    let second = world.start_replica();
    second.wait_for_log("that it stands by", |line| line["message"] == "another replica leads; standing by").await;
    world.create(world.job("held").suspended()).await;
    let suspended = "auditlogreplay_jobs{konnect_region=\"eu\",state=\"suspended\"}";
    first.wait_for_metrics("the job", |text| value(text, suspended).filter(|count| *count > 0.0)).await;
    let standing_by = second.metrics().await;
    assert_eq!(value(&standing_by, "auditlogreplay_leader"), Some(0.0));
    assert!(!standing_by.contains("auditlogreplay_jobs{"), "{standing_by}");
}

/// For scrapers that know only the older format: each counter has its type under the name of its series.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_text_gets_what_an_older_scraper_reads() {
    let mut world = World::new().await;
    world.create(world.job("held").suspended()).await;
    world.wait_for_reason("held", "Suspended").await;
    let suspended = "auditlogreplay_jobs{konnect_region=\"eu\",state=\"suspended\"}";
    world.operator().wait_for_metrics("the job", |text| value(text, suspended).filter(|count| *count > 0.0)).await;
    let (content_type, text) = world.operator().metrics_as("text/plain;version=0.0.4").await;
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    let typed: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.split(['{', ' ']).next().unwrap();
        let names = ["", "_bucket", "_sum", "_count"].iter().filter_map(|suffix| series.strip_suffix(suffix));
        assert!(names.into_iter().any(|name| typed.contains_key(name)), "{series} has no type in\n{text}");
        assert!(!series.ends_with("_total") || typed[series] == "counter", "{series}");
    }
}
