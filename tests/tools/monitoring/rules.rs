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
/// Minutes that an alert of what the leader shows outlives its condition.
const KEPT: u32 = 5;

/// In the order of the rules file.
pub const ALERTS: &[Alert] = &[
    alert("KonnectReplayWindowExpiresIn24h", r#"severity="warning",konnect_region="eu",portal="00000001""#, 5),
    alert("KonnectReplayWindowExpiresIn6h", r#"severity="critical",konnect_region="eu",portal="00000001""#, 1),
    Alert { until: DAY + KEPT, ..alert("KonnectReplayFailed", r#"severity="critical",konnect_region="us""#, 0) },
    Alert { until: DAY + KEPT, ..alert("KonnectReplayUndelivered", r#"severity="warning",konnect_region="au""#, 0) },
    alert("KonnectReplayWebhookOff", r#"severity="warning",konnect_region="me",portal="00000004""#, 10),
    alert("KonnectReplayWebhookInactive", r#"severity="warning",konnect_region="au",portal="00000003""#, 15),
    alert("KonnectReplayLaneBlocked", r#"severity="warning",konnect_region="in",portal="00000005""#, 60),
    alert("KonnectReplayCredentialsRejected", r#"severity="warning",konnect_region="xx""#, 10),
    alert("KonnectReplayNoLeader", r#"severity="critical""#, 5),
    alert("KonnectReplayKonnectUnavailable", r#"severity="warning",konnect_region="sg""#, 10),
    alert("KonnectReplayUnreadable", r#"severity="critical""#, 5),
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
