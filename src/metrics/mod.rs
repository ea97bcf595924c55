//! What can be seen of the operator from outside, in the form of `OpenMetrics`. Names and labels are a stable API: docs/metrics.md lists
//! them, and a test compares that list with what the binary serves.
//!
//! Labels never name an object. What the objects say is shown by the leader alone; everything else by each replica of itself.

mod board;
mod exposition;
mod figures;
mod jobs;
mod konnect;
mod labels;
mod passes;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use board::Board;
pub use board::Objects;
pub use exposition::Exposition;
use jobs::Jobs;
use konnect::Calls;
use labels::{Names, Place};
use passes::Passes;
pub use passes::{PassGuard, PassResult};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
pub use state::JobState;

use crate::config::Config;
use konnect_replay_core::konnect::{CallError, RemoteTarget};
use konnect_replay_core::replay::{Change, WebhookReading};

/// Everything that is measured. Clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Measured>);

#[derive(Debug)]
struct Measured {
    registry: Registry,
    names: Names,
    calls: Calls,
    jobs: Jobs,
    passes: Passes,
    board: Arc<Board>,
    leader: Gauge,
    panics: Counter,
}

impl Metrics {
    /// Nothing measured yet.
    pub fn new(config: &Config) -> Self {
        let mut root = Registry::default();
        let passes = Passes::new(&mut root, config.concurrency);
        let registry = root.sub_registry_with_prefix("auditlogreplay");
        let names = Names::new(&config.policy.regions);
        let calls = Calls::new(registry, &names);
        let jobs = Jobs::new(registry, &names);
        let board = Arc::new(Board::new(names.clone(), config.policy.clone()));
        registry.register_collector(Box::new(Arc::clone(&board)));
        let (leader, panics) = (Gauge::default(), Counter::default());
        registry.register("leader", "Whether this replica works; the others stand by", leader.clone());
        registry.register("panics", "Bugs that ended something; each is logged", panics.clone());
        build_info(registry);
        Self(Arc::new(Measured { registry: root, names, calls, jobs, passes, board, leader, panics }))
    }

    /// All of it, as [`Exposition::OpenMetrics`].
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// This replica works from now on, on these objects.
    pub fn leading(&self, objects: Objects) {
        self.0.board.show(objects);
        self.0.leader.set(1);
    }

    /// A panic, anywhere.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// A pass begins; it is under way until what is returned is dropped.
    pub fn pass(&self) -> PassGuard {
        self.0.passes.begin()
    }

    /// One call to Konnect: the HTTP status of its answer or why there was none, and how long it took.
    pub fn called(&self, target: &RemoteTarget, method: &str, outcome: Result<u16, &CallError>, elapsed: Duration) {
        let region = self.0.names.region(&target.region);
        self.0.calls.count(region, method, outcome.map_err(CallError::category), elapsed);
    }

    /// What was read of a webhook. One that could not be read says nothing.
    pub fn webhook(&self, target: &RemoteTarget, reading: &WebhookReading) {
        let enabled = match &reading.config {
            Ok(config) => config.enabled.unwrap_or(false),
            Err(error) if error.status() == Some(404) => false,
            Err(_) => return,
        };
        let status = reading.status.as_ref().and_then(|status| status.webhook_status.as_deref());
        let active = status.filter(|_| enabled).map(|status| status == "active");
        let region = self.0.names.region(&target.region);
        let portal = labels::portal(target.portal_id.as_deref());
        self.0.board.webhook(Place { konnect_region: region, portal }, enabled, active);
    }

    /// Something happened to a job of this region.
    pub fn changed(&self, region: &str, change: &Change) {
        let region = self.0.names.region(region);
        if let Change::Finished(end) = change
            && end.complete
        {
            self.0.board.succeeded(region.clone(), end.at.timestamp());
        }
        self.0.jobs.count(region, change);
    }
}

fn build_info(registry: &mut Registry) {
    let labels = [("version".into(), env!("CARGO_PKG_VERSION").into())];
    let always = Gauge::<i64>::default();
    always.set(1);
    registry.sub_registry_with_labels(labels.into_iter()).register("build_info", "Which version runs", always);
}
