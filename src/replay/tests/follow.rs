//! A run under way, to its end.

use super::fixtures::*;
use super::story::story;
use crate::api::ConditionType;

#[test]
fn an_undisturbed_life_is_told_in_six_writes() {
    let mut s = story(job());
    s.pass().konnect_says("accepted").konnect_says("pending").konnect_says("running").konnect_says("completed");
    assert_eq!(s.told(), ["Pending", "Submitting", "Accepted", "RemotePending", "Running", "Completed"]);
    assert_eq!(s.writes.len(), 6);
    assert_eq!(s.puts.len(), 1);
    assert!(s.is(&ConditionType::Complete));
}
