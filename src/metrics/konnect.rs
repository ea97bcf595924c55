//! Calls to Konnect, as they went.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Names, OTHER, Region};

/// From an answer of a near gateway to the default timeout.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    konnect_region: String,
    method: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    konnect_region: String,
    method: String,
}

/// What is counted of each call.
#[derive(Debug)]
pub(super) struct Calls {
    requests: Family<Answered, Counter>,
    duration: Family<Asked, Histogram, fn() -> Histogram>,
    conflicts: Family<Region, Counter>,
    rate_limited: Family<Region, Counter>,
}

impl Calls {
    pub(super) fn new(registry: &mut Registry, names: &Names) -> Self {
        let calls = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            conflicts: Family::default(),
            rate_limited: Family::default(),
        };
        registry.register(
            "konnect_requests",
            "Calls to Konnect, by the HTTP status of the answer, or not_connected or no_answer where there was none",
            calls.requests.clone(),
        );
        registry.register_with_unit(
            "konnect_request_duration",
            "How long calls to Konnect took, answered or not",
            Unit::Seconds,
            calls.duration.clone(),
        );
        registry.register(
            "conflicts",
            "Requests for a replay that Konnect refused because another one was under way (409)",
            calls.conflicts.clone(),
        );
        registry.register(
            "rate_limited",
            "Calls that Konnect answered with the request to slow down (429)",
            calls.rate_limited.clone(),
        );
        for region in names.regions() {
            // A counter that is there from the start shows its first increase.
            let region = Region { konnect_region: region.clone() };
            drop((calls.conflicts.get_or_create(&region), calls.rate_limited.get_or_create(&region)));
        }
        calls
    }

    /// Counts one call that took `elapsed` and brought this HTTP status, or failed for this in one word.
    pub(super) fn count(&self, region: String, method: &str, outcome: Result<u16, &'static str>, elapsed: Duration) {
        let code = match outcome {
            Ok(status @ 100..=599) => status.to_string(),
            Ok(_) => OTHER.to_owned(),
            Err(category) => category.to_owned(),
        };
        let by_region = Region { konnect_region: region.clone() };
        match outcome {
            Ok(409) if method == "PUT" => drop(self.conflicts.get_or_create(&by_region).inc()),
            Ok(429) => drop(self.rate_limited.get_or_create(&by_region).inc()),
            _ => {}
        }
        let asked = Asked { konnect_region: region.clone(), method: method.to_owned() };
        self.duration.get_or_create(&asked).observe(elapsed.as_secs_f64());
        self.requests.get_or_create(&Answered { konnect_region: region, method: method.to_owned(), code }).inc();
    }
}
