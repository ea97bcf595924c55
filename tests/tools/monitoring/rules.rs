//! What each alert of the rules file is to do.

use serde_json::Value;

/// The rules file.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring/prometheus-rules.yaml");

/// What one alert is to do.
pub struct Alert {
    pub name: &'static str,
    /// Its labels, as promtool writes them.
    pub labels: &'static str,
    /// Minutes that its condition lasts before it fires.
    pub after: u32,
    /// Minutes after which it has ended although nothing was done; 0: it lasts as long as its condition.
    pub until: u32,
}

const fn alert(name: &'static str, labels: &'static str, after: u32) -> Alert {
    Alert { name, labels, after, until: 0 }
}

const DAY: u32 = 24 * 60;

/// In the order of the rules file.
pub const ALERTS: &[Alert] = &[
    alert("KonnectReplayWindowExpiresIn24h", r#"severity="warning",region="eu",portal="00000001""#, 5),
    alert("KonnectReplayWindowExpiresIn6h", r#"severity="critical",region="eu",portal="00000001""#, 1),
    Alert { until: DAY, ..alert("KonnectReplayFailed", r#"severity="critical",region="us""#, 0) },
    Alert { until: DAY, ..alert("KonnectReplayUndelivered", r#"severity="warning",region="au""#, 0) },
    alert("KonnectReplayWebhookOff", r#"severity="warning",region="me",portal="00000004""#, 10),
    alert("KonnectReplayWebhookInactive", r#"severity="warning",region="au",portal="00000003""#, 15),
    alert("KonnectReplayLaneBlocked", r#"severity="warning",region="in",portal="00000005""#, 60),
    alert("KonnectReplayCredentialsRejected", r#"severity="warning",region="ap""#, 10),
    alert("KonnectReplayNoLeader", r#"severity="critical""#, 5),
    alert("KonnectReplayKonnectUnavailable", r#"severity="warning",region="sg""#, 10),
    alert("KonnectReplayPanics", r#"severity="warning""#, 0),
];

/// The alerts of the file, in its order.
pub fn names() -> Vec<String> {
    let text = std::fs::read_to_string(PATH).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let groups = file["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap().clone());
    rules.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}
