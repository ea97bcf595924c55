//! Passes over objects, under the names of controller-runtime, so that dashboards and alerts made for it work. What kube's queue
//! does not tell (its depth, additions and waits) is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The controller's name in labels, as controller-runtime makes it: the kind in lower case.
const CONTROLLER: &str = "auditlogreplayjob";
/// controller-runtime's own.
const BUCKETS: [f64; 14] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0];

/// How a pass ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassResult {
    /// Nothing more to do until the object changes.
    Success,
    /// To be continued after a while.
    RequeueAfter,
    /// It failed and is tried again.
    Error,
    /// The same, because of a bug.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    controller: &'static str,
    result: &'static str,
}

/// What is measured of passes.
#[derive(Clone, Debug)]
pub(super) struct Passes {
    total: Family<Result, Counter>,
    errors: Counter,
    panics: Counter,
    time: Histogram,
    active: Gauge,
    running: Arc<Running>,
    work: Histogram,
    retries: Counter,
}

impl Passes {
    pub(super) fn new(registry: &mut Registry, concurrency: u16) -> Self {
        let passes = Self {
            total: Family::default(),
            errors: Counter::default(),
            panics: Counter::default(),
            time: Histogram::new(BUCKETS),
            active: Gauge::default(),
            running: Arc::default(),
            work: Histogram::new(BUCKETS),
            retries: Counter::default(),
        };
        for result in ["success", "requeue_after", "error"] {
            drop(passes.total.get_or_create(&Result { controller: CONTROLLER, result }));
        }
        passes.register(registry.sub_registry_with_prefix("controller_runtime"), concurrency);
        passes.register_queue(registry.sub_registry_with_prefix("workqueue"));
        passes
    }

    fn register(&self, registry: &mut Registry, concurrency: u16) {
        let concurrent = Gauge::<i64>::default();
        concurrent.set(i64::from(concurrency));
        registry.register("reconcile", "Passes over objects, by how they ended", self.total.clone());
        let registry = registry.sub_registry_with_label(("controller".into(), CONTROLLER.into()));
        registry.register("reconcile_errors", "Passes that failed and are tried again", self.errors.clone());
        registry.register("reconcile_panics", "Passes that a bug ended", self.panics.clone());
        registry.register_with_unit("reconcile_time", "How long passes took", Unit::Seconds, self.time.clone());
        registry.register("active_workers", "Passes under way", self.active.clone());
        registry.register("max_concurrent_reconciles", "How many passes may be under way at once", concurrent);
    }

    fn register_queue(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_labels(
            [("name", CONTROLLER), ("controller", CONTROLLER)].map(|(k, v)| (k.into(), v.into())).into_iter(),
        );
        registry.register_with_unit(
            "work_duration",
            "How long an item of the queue was worked on",
            Unit::Seconds,
            self.work.clone(),
        );
        registry.register("retries", "Items put back because a pass failed", self.retries.clone());
        registry.register_collector(Box::new(Arc::clone(&self.running)));
    }

    /// A pass begins. It counts as under way until what is returned is dropped.
    pub(super) fn begin(&self) -> PassGuard {
        self.active.inc();
        let number = self.running.begin();
        PassGuard { passes: self.clone(), number, began: Instant::now(), result: None }
    }

    fn count(&self, result: PassResult, took: Duration) {
        let (result, failed) = match result {
            PassResult::Success => ("success", false),
            PassResult::RequeueAfter => ("requeue_after", false),
            PassResult::Error => ("error", true),
            PassResult::Panic => {
                self.panics.inc();
                ("error", true)
            }
        };
        self.total.get_or_create(&Result { controller: CONTROLLER, result }).inc();
        if failed {
            self.errors.inc();
            self.retries.inc();
        }
        self.time.observe(took.as_secs_f64());
        self.work.observe(took.as_secs_f64());
    }
}

/// A pass under way. One that is dropped without a result was cut off by the end of the process, and is not counted.
#[derive(Debug)]
pub struct PassGuard {
    passes: Passes,
    number: u64,
    began: Instant,
    result: Option<PassResult>,
}

impl PassGuard {
    /// The pass has ended.
    pub fn end(mut self, result: PassResult) {
        self.result = Some(result);
    }
}

impl Drop for PassGuard {
    fn drop(&mut self) {
        self.passes.active.dec();
        self.passes.running.end(self.number);
        if let Some(result) = self.result {
            self.passes.count(result, self.began.elapsed());
        }
    }
}

/// When the passes under way began.
#[derive(Debug, Default)]
struct Running(Mutex<(u64, BTreeMap<u64, Instant>)>);

impl Running {
    fn begin(&self) -> u64 {
        let (next, began) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        began.insert(*next, Instant::now());
        *next
    }

    fn end(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&number);
    }

    fn elapsed(&self) -> Vec<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.values().map(Instant::elapsed).collect()
    }
}

impl Collector for Running {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        let elapsed = self.elapsed();
        let seconds = Some(&Unit::Seconds);
        let all: Duration = elapsed.iter().sum();
        let unfinished = encoder.encode_descriptor(
            "unfinished_work",
            "For how long passes under way have been so, in total",
            seconds,
            MetricType::Gauge,
        )?;
        ConstGauge::new(all.as_secs_f64()).encode(unfinished)?;
        let longest = encoder.encode_descriptor(
            "longest_running_processor",
            "For how long the pass has been under way that began first",
            seconds,
            MetricType::Gauge,
        )?;
        ConstGauge::new(elapsed.iter().max().copied().unwrap_or_default().as_secs_f64()).encode(longest)
    }
}
