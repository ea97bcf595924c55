//! One organization, one portal, a receiver, and a client: what nearly every test needs.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use konnect_emulator::{
    Emulator, Options, Part, Receiver, ReceiverOptions, TargetKey, Timings, Violation, Webhook, Window,
};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "kpat_administrator";
pub(crate) const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) receiver: Receiver,
    pub(crate) portal: TargetKey,
    pub(crate) client: reqwest::Client,
}

pub(crate) fn quick() -> Options {
    Options { timings: Timings::all(Duration::from_millis(5)), retry_scale: 0.001, ..Options::default() }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let emulator = Emulator::start(options).await.unwrap();
        emulator.add_organization("acme", TOKEN).unwrap();
        let portal = emulator.add_portal("acme", "eu", PORTAL).unwrap();
        let jwks = Some(emulator.jwks());
        let receiver = Receiver::start(ReceiverOptions { jwks, ..ReceiverOptions::default() }).await.unwrap();
        emulator.set_webhook(&portal, Webhook::new(receiver.url())).unwrap();
        Self { emulator, receiver, portal, client: client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/v2/portals/{PORTAL}/{path}", self.emulator.base_url("eu"))
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).bearer_auth(TOKEN)
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        Reply::read(self.request(Method::GET, url).send().await.unwrap()).await
    }

    pub(crate) async fn put(&self, url: &str, body: &Value) -> Reply {
        Reply::read(self.request(Method::PUT, url).body(body.to_string()).send().await.unwrap()).await
    }

    pub(crate) async fn put_job(&self, window: Window) -> Reply {
        self.put(&self.url("audit-log-replay-job"), &json!(window)).await
    }

    pub(crate) async fn get_job(&self) -> Value {
        self.get(&self.url("audit-log-replay-job")).await.json()
    }
}

impl Drop for Bench {
    /// At the end of every test: the emulator answered as `openapi.yaml` says.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let own_faults = |violation: &Violation| violation.part != Part::Request;
            let violations: Vec<_> = self.emulator.violations().into_iter().filter(own_faults).collect();
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).tls_certs_only([]).build().unwrap()
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }
}

/// Whole seconds, `hours` before the tests began: the same instant each time, so that windows and events fit.
pub(crate) fn hours_ago(hours: i64) -> DateTime<Utc> {
    static BEGIN: LazyLock<i64> = LazyLock::new(|| Utc::now().timestamp());
    DateTime::from_timestamp(*BEGIN, 0).unwrap() - TimeDelta::hours(hours)
}

/// From `hours` ago, one hour long.
pub(crate) fn window(hours: i64) -> Window {
    Window::new(hours_ago(hours), hours_ago(hours - 1))
}
