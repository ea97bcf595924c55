//! What all passes share, without a cluster.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use kube::Client;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

use super::context::{Context, Stop};
use super::events;
use super::slim::Guarded;
use crate::config::Config;
use crate::konnect_http::HttpClient;
use crate::metrics::Metrics;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::Candidate;

/// Takes what is logged, and keeps it.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// An object of the one lane there is. Of two, the one whose window starts at the earlier hour goes first.
pub(super) fn job(name: &str, hour: u32) -> AuditLogReplayJob {
    let at = |hour: u32| format!("2026-11-20T{hour:02}:00:00Z");
    let object = json!({
        "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
        "metadata": { "name": name, "namespace": "audit", "uid": name },
        "spec": {
            "target": { "region": "eu", "scope": "Organization" },
            "window": { "startAt": at(hour), "endAt": at(hour + 1) },
            "tokenSecretRef": { "name": "token" },
        },
    });
    serde_json::from_value(object).unwrap()
}

pub(super) fn candidate(ctx: &Context, job: &AuditLogReplayJob) -> Candidate {
    Candidate::of(job, &ctx.config.policy).unwrap()
}

/// With the settings as shipped, and those that are woken. It reaches nobody.
pub(super) fn context() -> (Context, UnboundedReceiver<ObjectRef<Guarded>>) {
    let (ctx, woken, _say_stop) = context_and_stop();
    (ctx, woken)
}

/// The same, and what tells it to stop: dropped, it tells that too.
pub(super) fn context_and_stop() -> (Context, UnboundedReceiver<ObjectRef<Guarded>>, watch::Sender<bool>) {
    let config = Config::of_flags(&[]).unwrap();
    let client = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    let konnect = HttpClient::new(Duration::from_secs(1), None).unwrap();
    let (waker, woken) = unbounded();
    let (say_stop, stop) = Stop::channel();
    let (publisher, _publishing) = events::start(client.clone());
    let (wakers, metrics) = (HashMap::from([(None, waker)]), Metrics::new(&config));
    (Context::new(client, konnect, config, wakers, stop, publisher, metrics), woken, say_stop)
}
