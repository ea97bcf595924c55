//! What happens to jobs, counted when this process writes it down.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Names, OTHER, Region};
use konnect_replay_core::api::Reason;
use konnect_replay_core::replay::{Change, End};

/// From a minute to the seven days that Konnect keeps events.
const LONG: [f64; 10] = [60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0];
/// A request that is answered at once, and one that has to be settled.
const SHORT: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

const COMPLETE: &str = "complete";
const FAILED: &str = "failed";
/// The reasons for which a job completes.
const GOOD_ENDS: [Reason; 3] = [Reason::Completed, Reason::Adopted, Reason::AlreadyReplayed];
/// Those for which it fails.
const BAD_ENDS: [Reason; 8] = [
    Reason::BackoffLimitExceeded,
    Reason::DeadlineExceeded,
    Reason::InvalidRequest,
    Reason::PortalNotFound,
    Reason::RemoteStateUnknown,
    Reason::StartingDeadlineExceeded,
    Reason::Superseded,
    Reason::WindowExpired,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    konnect_region: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndedFor {
    konnect_region: String,
    outcome: &'static str,
    reason: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted of jobs.
#[derive(Debug)]
pub(super) struct Jobs {
    finished: Family<EndedFor, Counter>,
    duration: Histograms<Ended>,
    queue_wait: Histograms<Region>,
    submission_latency: Histograms<Region>,
    superseded: Family<Region, Counter>,
    adopted: Family<Region, Counter>,
    duplicates_skipped: Family<Region, Counter>,
    windows_expired: Family<Region, Counter>,
}

impl Jobs {
    pub(super) fn new(registry: &mut Registry, names: &Names) -> Self {
        let jobs = Self {
            finished: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(LONG)),
            queue_wait: Family::new_with_constructor(|| Histogram::new(LONG)),
            submission_latency: Family::new_with_constructor(|| Histogram::new(SHORT)),
            superseded: Family::default(),
            adopted: Family::default(),
            duplicates_skipped: Family::default(),
            windows_expired: Family::default(),
        };
        jobs.register_counters(registry);
        jobs.register_histograms(registry);
        for region in names.regions() {
            let region = Region { konnect_region: region.clone() };
            jobs.begin_at_zero(&region);
            for counter in [&jobs.superseded, &jobs.adopted, &jobs.duplicates_skipped, &jobs.windows_expired] {
                drop(counter.get_or_create(&region));
            }
        }
        jobs
    }

    /// What is there from the start shows its first increase; most regions have but a few replays a year.
    fn begin_at_zero(&self, region: &Region) {
        for (outcome, reasons) in [(COMPLETE, &GOOD_ENDS[..]), (FAILED, &BAD_ENDS)] {
            let konnect_region = region.konnect_region.clone();
            for reason in reasons.iter().map(|reason| reason.as_str()) {
                drop(self.finished.get_or_create(&EndedFor {
                    konnect_region: konnect_region.clone(),
                    outcome,
                    reason,
                }));
            }
            drop(self.duration.get_or_create(&Ended { konnect_region, outcome }));
        }
        drop((self.queue_wait.get_or_create(region), self.submission_latency.get_or_create(region)));
    }

    fn register_counters(&self, registry: &mut Registry) {
        let mut register = |name: &str, help: &str, metric: &Family<Region, Counter>| {
            registry.register(name, help, metric.clone());
        };
        register("superseded", "Submissions in whose place Konnect showed another job, or none", &self.superseded);
        register("adopted", "Runs under way at Konnect that were followed instead of sending again", &self.adopted);
        register(
            "duplicates_skipped",
            "Jobs that ended without sending because their window had been replayed before",
            &self.duplicates_skipped,
        );
        register(
            "windows_expired",
            "Jobs given up because Konnect had deleted the first events of their window",
            &self.windows_expired,
        );
        registry.register("jobs_finished", "Jobs that ended, by outcome and reason", self.finished.clone());
    }

    fn register_histograms(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "job_duration",
            "From the creation of a job to its end",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "queue_wait",
            "From when a job could have been sent at the earliest until its first request was recorded",
            Unit::Seconds,
            self.queue_wait.clone(),
        );
        registry.register_with_unit(
            "submission_latency",
            "From when a request was recorded until Konnect was known to have taken it, in whole seconds",
            Unit::Seconds,
            self.submission_latency.clone(),
        );
    }

    pub(super) fn count(&self, region: String, change: &Change) {
        let region = Region { konnect_region: region };
        match change {
            Change::Began { waited } => self.queue_wait.get_or_create(&region).observe(waited.as_secs_f64()),
            Change::Accepted { after } => {
                self.submission_latency.get_or_create(&region).observe(after.as_secs_f64());
            }
            Change::Adopted => drop(self.adopted.get_or_create(&region).inc()),
            Change::Superseded => drop(self.superseded.get_or_create(&region).inc()),
            Change::Finished(end) => self.count_end(&region, end),
        }
    }

    fn count_end(&self, region: &Region, end: &End) {
        let outcome = if end.complete { COMPLETE } else { FAILED };
        let reason = Reason::parse(&end.reason);
        match reason {
            Some(Reason::AlreadyReplayed) => drop(self.duplicates_skipped.get_or_create(region).inc()),
            Some(Reason::WindowExpired) => drop(self.windows_expired.get_or_create(region).inc()),
            _ => {}
        }
        let reason = reason.map_or(OTHER, Reason::as_str);
        self.finished.get_or_create(&EndedFor { konnect_region: region.konnect_region.clone(), outcome, reason }).inc();
        let ended = Ended { konnect_region: region.konnect_region.clone(), outcome };
        self.duration.get_or_create(&ended).observe(end.took.as_secs_f64());
    }
}
