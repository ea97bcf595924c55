//! Destinations: where the webhooks of an organization send their events.
//!
//! A destination belongs to the organization, not to a region. Whether Konnect sees it so is not documented: its
//! specifications name regional hosts, its how-tos the global one. Here both serve it.

use chrono::{DateTime, Utc};

use super::World;
use crate::webhook::Webhook;

/// A place to send events to, with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) org: String,
    pub(crate) name: String,
    /// Where and how. `enabled` is the business of the webhook that points here.
    pub(crate) webhook: Webhook,
    pub(crate) created_at: DateTime<Utc>,
    /// None until its first change.
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

impl World {
    /// The destinations of an organization, by their ids.
    pub(crate) fn destinations(&self, org: &str) -> impl Iterator<Item = &Destination> {
        self.destinations.values().filter(move |destination| destination.org == org)
    }

    pub(crate) fn destination(&self, org: &str, id: &str) -> Option<&Destination> {
        self.destinations.get(id).filter(|destination| destination.org == org)
    }

    /// Makes a destination, or changes the one with this id and every webhook that points there.
    pub(crate) fn set_destination(&mut self, destination: Destination, now: DateTime<Utc>) {
        let there = &destination.webhook;
        let points_here = |webhook: &Webhook| webhook.destination_id == there.destination_id;
        for target in self.targets.values_mut() {
            if let Some(webhook) = target.webhook.webhook.clone().filter(points_here) {
                target.webhook.set(Some(Webhook { enabled: webhook.enabled, ..there.clone() }), now);
            }
        }
        self.destinations.insert(destination.webhook.destination_id.clone(), destination);
    }

    /// Takes a destination away. False while a webhook points there.
    pub(crate) fn remove_destination(&mut self, id: &str) -> bool {
        let is_in_use = |webhook: &Webhook| webhook.destination_id == id;
        if self.targets.values().any(|target| target.webhook.webhook.as_ref().is_some_and(is_in_use)) {
            return false;
        }
        self.destinations.remove(id);
        true
    }

    /// What a webhook points to becomes a destination, if it is none yet.
    pub(super) fn note_destination(&mut self, org: &str, webhook: &Webhook, now: DateTime<Utc>) {
        let known = self.destinations.get(&webhook.destination_id);
        let name = known.map_or_else(|| format!("destination of {}", webhook.url), |known| known.name.clone());
        let created_at = known.map_or(now, |known| known.created_at);
        let updated_at = known.map(|_| now);
        let destination = Destination { org: org.to_owned(), name, webhook: webhook.clone(), created_at, updated_at };
        let same =
            known.is_some_and(|known| known.webhook == Webhook { enabled: known.webhook.enabled, ..webhook.clone() });
        if !same {
            self.destinations.insert(webhook.destination_id.clone(), destination);
        }
    }
}
