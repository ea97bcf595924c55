//! Labels, each with a bounded number of values: no name of an object ever becomes one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;

/// What stands for everything beyond the bound.
pub(super) const OTHER: &str = "other";
/// What stands for the organisation's own log in `portal`.
const ORGANIZATION: &str = "organization";
/// How many portals have a value of their own.
const MAX_PORTALS: usize = 64;

/// The values that `region` and `portal` may have. Clones share what they have given out.
#[derive(Clone, Debug)]
pub(super) struct Names {
    regions: Arc<Vec<String>>,
    portals: Arc<Mutex<BTreeSet<String>>>,
}

impl Names {
    /// The installer's regions; portals come as they are seen.
    pub(super) fn new(regions: &[String]) -> Self {
        Self { regions: Arc::new(regions.to_vec()), portals: Arc::default() }
    }

    /// Every region that has series from the start.
    pub(super) fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The region, if it is one of the installer's.
    pub(super) fn region(&self, region: &str) -> String {
        if self.regions.iter().any(|known| known == region) { region.to_owned() } else { OTHER.to_owned() }
    }

    /// The first group of a Dev Portal's id: enough to recognise it in the PORTAL column, and short enough to read. The first
    /// [`MAX_PORTALS`] that this process meets have a value of their own.
    pub(super) fn portal(&self, portal_id: Option<&str>) -> String {
        let Some(id) = portal_id else { return ORGANIZATION.to_owned() };
        let short: String = id.chars().take_while(char::is_ascii_hexdigit).take(8).collect();
        let mut known = self.portals.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&short) || (known.len() < MAX_PORTALS && known.insert(short.clone())) {
            short
        } else {
            OTHER.to_owned()
        }
    }
}

/// `{region}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Region {
    pub(super) region: String,
}

/// `{region,portal}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Place {
    pub(super) region: String,
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

    #[test]
    fn portals_are_bounded_and_those_known_keep_their_value() {
        let names = Names::new(&[]);
        assert_eq!(names.portal(Some("6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10")), "6b1e4f0c");
        assert_eq!(names.portal(None), ORGANIZATION);
        let values: BTreeSet<String> = (0..1000).map(|n| names.portal(Some(&format!("{n:08x}-0000")))).collect();
        assert_eq!(values.len(), MAX_PORTALS, "63 more, and {OTHER}");
        assert!(values.contains(OTHER));
        assert_eq!(names.portal(Some("6b1e4f0c-2f0f")), "6b1e4f0c");
    }
}
