//! What passes share, without a cluster.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Semaphore, watch};
use tracing_subscriber::fmt::MakeWriter;

use super::clock::Stopwatch;
use super::events;
use super::konnect::Calls;
use super::scopes::Scopes;
use super::server::Readiness;
use super::shared::Shared;
use super::stop::Stop;
use crate::config::Config;
use crate::konnect_http::HttpClient;
use crate::metrics::Metrics;

/// Takes what is logged, and keeps it.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What was logged so far.
    pub(crate) fn text(&self) -> String {
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

/// With the settings as shipped, for one kind, and the sender that requests its end, also when dropped. It reaches no server.
pub(crate) fn shared() -> (Arc<Shared>, watch::Sender<bool>) {
    let config = Config::of_flags(&[]).unwrap();
    let client = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    let (say_stop, stop) = Stop::channel();
    let (events, _publishing) = events::start(client.clone());
    let stopwatch = Stopwatch::start();
    let shared = Shared {
        client,
        konnect: HttpClient::new(Duration::from_secs(1), None).unwrap(),
        metrics: Metrics::new(&config),
        readiness: Readiness::default(),
        stop,
        scopes: Scopes::of(&config, 1),
        events,
        calls: Calls::new(config.concurrency, stopwatch),
        workers: Semaphore::new(config.concurrency.into()),
        config,
        stopwatch,
    };
    (Arc::new(shared), say_stop)
}
