//! The gauges that only the leader shows: what the objects say, and what was last read of the webhooks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::figures::{Busy, Figures};
use super::labels::{Names, OTHER, Place, Portals, Region};
use super::state::JobState;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::Policy;

/// How long a reading of a webhook is shown: an object that needs it is looked at far more often.
const READING_HOLDS: Duration = Duration::from_hours(1);

/// Hands each object to the visitor, `None` for one that does not parse, and answers whether all that there are were shown.
pub type Objects = Box<dyn Fn(&mut dyn FnMut(Option<&AuditLogReplayJob>)) -> bool + Send + Sync>;

/// What is shown.
pub(super) struct Board {
    names: Names,
    policy: Policy,
    objects: Mutex<Option<Arc<Objects>>>,
    webhooks: Mutex<BTreeMap<Place, Reading>>,
    portals: Mutex<Portals>,
    /// Outlives the objects: a team deletes them, or has them deleted.
    last_success: Mutex<BTreeMap<String, i64>>,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    enabled: bool,
    active: Option<bool>,
}

impl Reading {
    /// Two of them as one.
    fn or_worse(self, other: Self) -> Self {
        let active = match (self.active, other.active) {
            (Some(one), Some(two)) => Some(one && two),
            (one, two) => one.or(two),
        };
        Self { at: self.at.max(other.at), enabled: self.enabled && other.enabled, active }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    konnect_region: String,
    state: JobState,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Held {
    konnect_region: String,
    portal: String,
    owner: &'static str,
}

impl Board {
    pub(super) fn new(names: Names, policy: Policy) -> Self {
        Self {
            names,
            policy,
            objects: Mutex::default(),
            webhooks: Mutex::default(),
            portals: Mutex::default(),
            last_success: Mutex::default(),
        }
    }

    /// From now on the objects are shown.
    pub(super) fn show(&self, objects: Objects) {
        *self.objects.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(objects));
    }

    /// Takes note of a reading of a webhook.
    pub(super) fn webhook(&self, place: Place, enabled: bool, active: Option<bool>) {
        let reading = Reading { at: Instant::now(), enabled, active };
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner).insert(place, reading);
    }

    /// Takes note of a success.
    pub(super) fn succeeded(&self, region: String, at: i64) {
        let mut times = self.last_success.lock().unwrap_or_else(PoisonError::into_inner);
        let time = times.entry(region).or_insert(at);
        *time = at.max(*time);
    }

    /// The objects in numbers; `None` unless this process leads and has seen all of them.
    fn figures(&self) -> Option<Figures> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (mut figures, now) = (Figures::default(), Utc::now());
        if !objects(&mut |job| match job {
            Some(job) => figures.add(job, &self.names, &self.policy, now),
            None => figures.unreadable += 1,
        }) {
            return None;
        }
        for (region, at) in &figures.last_success {
            self.succeeded(region.clone(), *at);
        }
        figures.last_success = self.last_success.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(figures)
    }

    /// The same figures and readings with at most so many portals in them, those of all others joined: the worst of them is shown.
    fn bounded(&self, mut figures: Figures, readings: BTreeMap<Place, Reading>) -> (Figures, BTreeMap<Place, Reading>) {
        let mut portals = self.portals.lock().unwrap_or_else(PoisonError::into_inner);
        portals.only(figures.to_expiry.keys().chain(figures.busy.keys()).chain(readings.keys()));
        figures.to_expiry = portals.bounded(figures.to_expiry, i64::min);
        figures.busy = portals.bounded(figures.busy, Busy::or);
        let readings = portals.bounded(readings, Reading::or_worse);
        (figures, readings)
    }

    fn readings(&self) -> BTreeMap<Place, Reading> {
        let mut readings = self.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
        readings.retain(|_, reading| reading.at.elapsed() < READING_HOLDS);
        readings.clone()
    }

    /// Every state of every region, so that a sum is never missing.
    fn jobs(&self, figures: &Figures) -> Vec<(InState, f64)> {
        let regions = self.names.regions().iter().map(String::as_str).chain([OTHER]);
        regions
            .flat_map(|region| JobState::ALL.map(|state| (region.to_owned(), state)))
            .map(|key| {
                let count = figures.jobs.get(&key).copied().unwrap_or_default();
                #[allow(clippy::cast_precision_loss)] // counts of objects
                (InState { konnect_region: key.0, state: key.1 }, count as f64)
            })
            .collect()
    }
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(figures) = self.figures() else { return Ok(()) };
        let (figures, readings) = self.bounded(figures, self.readings());
        gauge(&mut encoder, "jobs", "AuditLogReplayJobs, by state", None, self.jobs(&figures))?;
        #[allow(clippy::cast_precision_loss)] // a count of objects
        let unreadable = ConstGauge::new(figures.unreadable as f64);
        let help =
            "Objects that do not parse and are left alone: they were written for another version of the definition";
        unreadable.encode(encoder.encode_descriptor("unreadable_objects", help, None, unreadable.metric_type())?)?;
        gauge(
            &mut encoder,
            "seconds_to_window_expiry",
            "Until Konnect begins to delete the events of the unfinished job that expires first",
            None,
            figures.to_expiry.into_iter().map(|(place, left)| (place, seconds(left))),
        )?;
        let busy = figures.busy.into_iter().flat_map(|(Place { konnect_region, portal }, busy)| {
            [("self", busy.ours), ("external", busy.external)].map(|(owner, busy)| {
                (
                    Held { konnect_region: konnect_region.clone(), portal: portal.clone(), owner },
                    f64::from(u8::from(busy)),
                )
            })
        });
        gauge(
            &mut encoder,
            "lane_busy",
            "Whether a replay makes jobs wait: a replay of an object here, or another replay at Konnect",
            None,
            busy,
        )?;
        for (name, help, times) in [
            ("last_success_timestamp", "When a job last completed", figures.last_success),
            ("last_failure_timestamp", "When a job that still exists last failed", figures.last_failure),
            (
                "last_undelivered_timestamp",
                "When a job that still exists last completed although the webhook's last answer was an error",
                figures.last_undelivered,
            ),
        ] {
            let times = times.into_iter().map(|(konnect_region, at)| (Region { konnect_region }, seconds(at)));
            gauge(&mut encoder, name, help, Some(&Unit::Seconds), times)?;
        }
        encode_webhooks(&mut encoder, &readings)
    }
}

fn encode_webhooks(encoder: &mut DescriptorEncoder, readings: &BTreeMap<Place, Reading>) -> fmt::Result {
    let flag = |on: bool| f64::from(u8::from(on));
    let enabled = readings.iter().map(|(place, reading)| (place.clone(), flag(reading.enabled)));
    gauge(encoder, "webhook_enabled", "Whether the webhook was on when last read, if within an hour", None, enabled)?;
    let active = readings.iter().filter_map(|(place, reading)| Some((place.clone(), flag(reading.active?))));
    let help = "Whether the webhook's last delivery had worked when last read, if within an hour";
    gauge(encoder, "webhook_active", help, None, active)
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

#[allow(clippy::cast_precision_loss)] // seconds, far below 2^52
fn seconds(count: i64) -> f64 {
    count as f64
}

fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    values: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    values.try_for_each(|(labels, value)| ConstGauge::new(value).encode(family.encode_family(&labels)?))
}
