//! promtool over the scraped series: each as it was when its condition held, drawn on for hours.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::exposition;
use crate::rules::{self, ALERTS, Alert};
use crate::{BUG, GONE};

/// Minutes that the series are drawn on for.
const MINUTES: u32 = 26 * 60;

/// What was scraped.
pub struct Cases {
    /// Before anything was wrong.
    pub healthy: String,
    /// With everything wrong, twice.
    pub troubled: (String, String),
    /// From one that does not lead.
    pub standing_by: String,
}

/// Runs promtool, and answers what it says.
pub fn test(cases: &Cases) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("promtool-{}.yaml", std::process::id()));
    std::fs::write(&path, file(cases)).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\nsee {}", path.display());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let checks = text.matches("eval_time").count();
    format!("{said}  {} alerts, {checks} checks, {} series", ALERTS.len(), text.matches("- series:").count())
}

fn file(cases: &Cases) -> String {
    let mut file = format!("rule_files: [{:?}]\nevaluation_interval: 1m\ntests:\n", rules::PATH);
    let (first, second) = (&cases.troubled.0, &cases.troubled.1);
    let troubled = ALERTS.iter().filter(|alert| ![BUG, GONE].contains(&alert.name));
    let troubled: Vec<String> = troubled.flat_map(expectations).collect();
    part(&mut file, "with everything wrong", &drawn_on(first, second), &troubled);
    let standing_by = drawn_on(&cases.standing_by, &cases.standing_by);
    part(&mut file, "nobody leads", &standing_by, &of(GONE));
    // One panic more than there were.
    let mut with_a_bug = drawn_on(&cases.healthy, &cases.healthy);
    with_a_bug.insert("auditlogreplay_panics_total".to_owned(), format!("0x3 1x{MINUTES}"));
    let fires = |minute: u32, labels| expectation(BUG, minute, labels);
    let labels = ALERTS.iter().find(|alert| alert.name == BUG).map(|alert| alert.labels);
    part(&mut file, "a bug", &with_a_bug, &[fires(3, None), fires(5, labels), fires(70, None)]);
    let none = ALERTS.iter().map(|alert| expectation(alert.name, 120, None)).collect::<Vec<_>>();
    part(&mut file, "all is well", &drawn_on(&cases.healthy, &cases.healthy), &none);
    file
}

fn of(name: &str) -> Vec<String> {
    ALERTS.iter().filter(|alert| alert.name == name).flat_map(expectations).collect()
}

/// Not before its time, then for as long as it should.
fn expectations(alert: &Alert) -> Vec<String> {
    let mut checks = Vec::new();
    if alert.after > 1 {
        checks.push(expectation(alert.name, alert.after - 1, None));
    }
    // A rate needs its first two samples.
    checks.push(expectation(alert.name, alert.after + 3, Some(alert.labels)));
    if alert.until > 0 {
        checks.push(expectation(alert.name, alert.until - 2, Some(alert.labels)));
        checks.push(expectation(alert.name, alert.until + 2, None));
    }
    checks
}

fn expectation(alert: &str, minute: u32, labels: Option<&str>) -> String {
    let expr = format!(r#"ALERTS{{alertname="{alert}",alertstate="firing"}}"#);
    let mut text = format!("      - expr: {expr:?}\n        eval_time: {minute}m\n");
    if let Some(labels) = labels {
        let sample = format!(r#"ALERTS{{alertname="{alert}",alertstate="firing",{labels}}}"#);
        let _ = writeln!(text, "        exp_samples: [{{labels: {sample:?}, value: 1}}]");
    }
    text
}

fn part(file: &mut String, name: &str, series: &BTreeMap<String, String>, checks: &[String]) {
    let _ = writeln!(file, "  - name: {name}\n    interval: 1m\n    input_series:");
    for (series, values) in series {
        let _ = writeln!(file, "      - series: {series:?}\n        values: {values:?}");
    }
    let _ = writeln!(file, "    promql_expr_test:\n{}", checks.concat());
}

/// Gauges stay as they were, counters go on as they went. Times are moved with the clock: promtool's begins at 0.
fn drawn_on(first: &str, second: &str) -> BTreeMap<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64().floor();
    let (first, second) = (exposition::series(first), exposition::series(second));
    let draw = |(series, last): (String, f64)| {
        let is_counter = series.split('{').next().is_some_and(|name| name.ends_with("_total"));
        let step = if is_counter { last - first.get(&series).copied().unwrap_or_default() } else { 0.0 };
        let from = if series.contains("_timestamp_seconds") { last - now } else { last };
        let values = format!("{from}{step:+}x{MINUTES}");
        (series, values)
    };
    second.into_iter().filter(|(series, _)| !series.contains("_bucket")).map(draw).collect()
}
