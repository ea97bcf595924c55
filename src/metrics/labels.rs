//! Labels, each with a bounded number of values: no name of an object ever becomes one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

/// What stands for everything beyond the bound.
pub(super) const OTHER: &str = "other";
/// What stands for the organisation's own log in `portal`.
const ORGANIZATION: &str = "organization";
/// How many portals have a value of their own.
const MAX_PORTALS: usize = 64;

/// The values that `konnect_region` and `portal` may have.
#[derive(Clone, Debug)]
pub(super) struct Names {
    regions: Arc<Vec<String>>,
}

impl Names {
    /// The installer's regions.
    pub(super) fn new(regions: &[String]) -> Self {
        Self { regions: Arc::new(regions.to_vec()) }
    }

    /// Every region that has series from the start.
    pub(super) fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The region, if it is one of the installer's.
    pub(super) fn region(&self, region: &str) -> String {
        if self.regions.iter().any(|known| known == region) { region.to_owned() } else { OTHER.to_owned() }
    }
}

/// The first group of a Dev Portal's id: enough to recognise it in the PORTAL column, and short enough to read.
pub(super) fn portal(portal_id: Option<&str>) -> String {
    let Some(id) = portal_id else { return ORGANIZATION.to_owned() };
    id.chars().take_while(char::is_ascii_hexdigit).take(8).collect()
}

/// The portals that have a value of their own: at most [`MAX_PORTALS`], and such a portal keeps it for as long as there is something to
/// show of it. Judged anew each time: invented ids whose objects are deleted again take no other portal's place.
#[derive(Debug, Default)]
pub(super) struct Portals(BTreeSet<String>);

impl Portals {
    /// Only these are there now.
    pub(super) fn only<'a>(&mut self, present: impl IntoIterator<Item = &'a Place>) {
        let present: BTreeSet<&str> = present.into_iter().map(|place| place.portal.as_str()).collect();
        self.0.retain(|portal| present.contains(portal.as_str()));
        for portal in present.into_iter().filter(|portal| *portal != ORGANIZATION) {
            if self.0.len() >= MAX_PORTALS {
                break;
            }
            self.0.insert(portal.to_owned());
        }
    }

    /// The values of places, those of portals without a value of their own joined into one.
    pub(super) fn bounded<T>(&self, values: BTreeMap<Place, T>, join: fn(T, T) -> T) -> BTreeMap<Place, T> {
        let mut bounded = BTreeMap::new();
        for (mut place, value) in values {
            if place.portal != ORGANIZATION && !self.0.contains(&place.portal) {
                OTHER.clone_into(&mut place.portal);
            }
            let joined = match bounded.remove(&place) {
                Some(before) => join(before, value),
                None => value,
            };
            bounded.insert(place, joined);
        }
        bounded
    }
}

/// `{konnect_region}`. Not `region`: that is what the target labels of many clusters call the region of the cloud, and a Prometheus that
/// has such a label renames ours, or merges series that differ in it alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Region {
    pub(super) konnect_region: String,
}

/// `{konnect_region,portal}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Place {
    pub(super) konnect_region: String,
    pub(super) portal: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_one_of_the_installers_or_other() {
        let names = Names::new(&["eu".to_owned(), "us".to_owned()]);
        assert_eq!(["eu", "us", "zz", ""].map(|region| names.region(region)), ["eu", "us", OTHER, OTHER]);
    }

    fn places(portals: impl IntoIterator<Item = String>) -> BTreeMap<Place, i64> {
        portals.into_iter().map(|portal| (Place { konnect_region: "eu".to_owned(), portal }, 1)).collect()
    }

    fn shown(portals: &mut Portals, values: &BTreeMap<Place, i64>) -> BTreeMap<String, i64> {
        portals.only(values.keys());
        let bounded = portals.bounded(values.clone(), |a, b| a + b);
        bounded.into_iter().map(|(place, value)| (place.portal, value)).collect()
    }

    #[test]
    fn portals_are_bounded_and_those_known_keep_their_value() {
        let ours = portal(Some("6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10"));
        assert_eq!((ours.as_str(), portal(None).as_str()), ("6b1e4f0c", ORGANIZATION));
        let mut portals = Portals::default();
        let mut values = places([ours.clone(), ORGANIZATION.to_owned()]);
        shown(&mut portals, &values);
        values.extend(places((0..1000).map(|n| format!("{n:08x}"))));
        let shown = shown(&mut portals, &values);
        assert_eq!(shown.len(), MAX_PORTALS + 2, "the organisation, and {OTHER}");
        assert_eq!((shown[&ours], shown[ORGANIZATION], shown[OTHER]), (1, 1, 1001 - 64));
    }

    #[test]
    fn ids_that_are_gone_keep_nobody_out() {
        let mut portals = Portals::default();
        shown(&mut portals, &places((0..1000).map(|n| format!("{n:08x}"))));
        let later = shown(&mut portals, &places(["ffffffff".to_owned()]));
        assert_eq!(later.keys().collect::<Vec<_>>(), ["ffffffff"]);
    }
}
