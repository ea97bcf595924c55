//! docs/api.md is what crates/core/src/api says.

use konnect_replay_core::api::reference;

#[test]
fn the_reference_in_the_repository_is_the_one_that_is_generated() {
    assert!(
        reference::markdown() == include_str!("../../docs/api.md"),
        "docs/api.md is out of date; run: {}",
        reference::COMMAND
    );
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == ' ').collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let text = reference::markdown();
    let anchors: Vec<String> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    let links: Vec<&str> = text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 10);
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "no heading for #{link} in {anchors:?}");
    }
}
