//! The queries of the dashboard.

use serde_json::Value;

/// Panels in which the drill must have left a trace: what happens once must show, however seldom it does.
pub const EVENTFUL: [&str; 3] = ["Jobs that ended", "From creation to end", "Wait for the first request"];

/// Whether any value is above zero.
pub fn is_eventful(found: &[Value]) -> bool {
    found.iter().any(|sample| sample["value"][1].as_str().unwrap().parse::<f64>().unwrap() > 0.0)
}

/// Every query with the panel it is of, its variables replaced as Grafana would.
pub fn queries() -> Vec<(String, String)> {
    let text = include_str!("../../../deploy/monitoring/dashboard.json");
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut queries = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{} asks nothing", panel["title"]);
        for target in targets {
            let query = target["expr"]
                .as_str()
                .unwrap()
                .replace("$cluster", ".*")
                .replace("$namespace", ".*")
                .replace("$konnect_region", ".*")
                .replace("$__rate_interval", "1h");
            assert!(!query.contains('$'), "a variable is left in {query}");
            queries.push((
                format!("{}: {}", panel["title"].as_str().unwrap(), target["legendFormat"].as_str().unwrap()),
                query,
            ));
        }
    }
    queries
}

/// An answer of Prometheus in a few words.
pub fn brief(found: &[Value]) -> String {
    let one = |sample: &Value| {
        let labels = sample["metric"].as_object().unwrap().values().filter_map(Value::as_str).collect::<Vec<_>>();
        format!("{} {}", labels.join("/"), sample["value"][1].as_str().unwrap()).trim().to_owned()
    };
    let shown: Vec<String> = found.iter().take(4).map(one).collect();
    let more =
        if found.len() > shown.len() { format!(", and {} more", found.len() - shown.len()) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
