//! What all passes of all kinds share, for as long as this process leads.

use kube::Client;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::clock::Stopwatch;
use super::events::Publisher;
use super::konnect::Calls;
use super::objects::{Kind, Objects};
use super::scopes::Scopes;
use super::server::Readiness;
use super::stop::Stop;
use super::watch::Listed;
use crate::config::Config;
use crate::konnect_http::HttpClient;
use crate::metrics::Metrics;
use konnect_replay_core::replay::Clock;

/// What all passes of all kinds share. Built anew with each term, so that nothing of an earlier one is believed.
pub(crate) struct Shared {
    /// The way to the API server.
    pub(crate) client: Client,
    /// The way to Konnect.
    pub(crate) konnect: HttpClient,
    /// The settings.
    pub(crate) config: Config,
    /// What is measured.
    pub(crate) metrics: Metrics,
    /// What `/readyz` answers.
    pub(crate) readiness: Readiness,
    /// Whether the process is to end.
    pub(crate) stop: Stop,
    /// The namespaces to watch.
    pub(crate) scopes: Scopes,
    /// Where Events are handed in.
    pub(crate) events: Publisher,
    /// The permits to call Konnect.
    pub(crate) calls: Calls,
    /// As many passes run at once as the process has workers, whichever kinds and namespaces they are of.
    pub(crate) workers: Semaphore,
    /// What time it is.
    pub(crate) stopwatch: Stopwatch,
}

impl Shared {
    /// Now, by both clocks.
    pub(crate) fn clock(&self) -> Clock {
        self.stopwatch.clock()
    }

    /// Calls for whole objects of a kind, each as long as `--request-timeout` allows.
    pub(crate) fn objects<K: Kind>(&self) -> Objects<K> {
        Objects::new(&self.client, self.config.policy.request_timeout)
    }

    /// A worker for one pass, in the order of asking, once everything in `listed` has been listed. `None` if the end of the process
    /// is requested before.
    pub(crate) async fn worker(&self, listed: &Listed) -> Option<SemaphorePermit<'_>> {
        let worker = async {
            listed.is_complete().await;
            // An error would mean that the semaphore was closed, which it never is.
            self.workers.acquire().await.ok()
        };
        tokio::select! {
            biased;
            () = self.stop.requested() => None,
            worker = worker => worker,
        }
    }
}
