//! A real Prometheus that scrapes the operator every second and evaluates the rules as often.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::rules;
use crate::support::PATIENCE;

pub struct Prometheus {
    child: Child,
    base: String,
    folder: PathBuf,
    raised: Mutex<BTreeMap<String, String>>,
}

impl Prometheus {
    /// Starts one that scrapes `address`.
    pub async fn start(address: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\n\
             scrape_configs: [{{job_name: konnect-replay, static_configs: [{{targets: [{address:?}]}}]}}]\n",
            rules::PATH
        );
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus is needed (Debian: apt-get install prometheus): {error}"));
        let prometheus = Self { child, base: format!("http://{free}"), folder, raised: Mutex::default() };
        prometheus.until("has scraped the operator", "up == 1").await;
        prometheus
    }

    /// Waits until an alert is pending or firing: its condition is seen, however long it must last.
    pub async fn raises(&self, alert: &str) {
        let found = self.until(alert, &format!("ALERTS{{alertname={alert:?}}}")).await;
        let describe = |sample: &Value| {
            let labels = sample["metric"].as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_'));
            labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let lines = found.iter().map(describe).collect::<Vec<_>>().join("\n");
        self.raised.lock().unwrap().insert(alert.to_owned(), lines);
    }

    /// The alerts that were raised, for people to look at.
    pub fn raised(&self) -> String {
        self.raised.lock().unwrap().values().cloned().collect::<Vec<_>>().join("\n")
    }

    /// The answer to a query that has one, sooner or later.
    pub async fn has(&self, query: &str) -> Vec<Value> {
        self.until("anything", query).await
    }

    async fn until(&self, what: &str, query: &str) -> Vec<Value> {
        let asking = async {
            loop {
                if let Some(found) = self.ask(query).await.filter(|found| !found.is_empty()) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("Prometheus never had {what}: {query}"))
    }

    /// `None` while it does not listen yet. A query that it does not understand ends the test.
    async fn ask(&self, query: &str) -> Option<Vec<Value>> {
        let mut url = reqwest::Url::parse(&self.base).unwrap().join("/api/v1/query").unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        assert_ne!(answer["errorType"], "bad_data", "{query}: {text}");
        Some(answer["data"]["result"].as_array()?.clone())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
