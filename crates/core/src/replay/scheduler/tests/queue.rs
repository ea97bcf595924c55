//! One run at a time per lane, one request at a time per target, the earliest expiry first.

use super::fixtures::*;
use crate::replay::scheduler::Turn;

#[test]
fn one_goes_and_the_next_is_woken_when_it_is_over() {
    let mut w = world();
    let (a, b) = (job("a"), job("b").at("q"));
    assert!(w.starts(&a));
    assert!(w.starts(&a), "asked again");
    assert_eq!(w.take(&b), behind("a"));
    assert_eq!(w.completes(&a), ["b"]);
    assert!(w.starts(&b));
    assert_eq!(w.completes(&b), [""; 0]);
}

#[test]
fn the_earliest_expiry_goes_first_whichever_job_asks_first() {
    let mut w = world();
    let (holder, late, early) = (job("holder"), job("late").expiring_in(9), job("early").expiring_in(6));
    assert!(w.starts(&holder));
    assert_eq!(w.take(&late), behind("holder"));
    assert_eq!(w.take(&early), behind("holder"));
    assert_eq!(w.completes(&holder), ["early"]);
    assert_eq!(w.take(&late), Turn::Later, "only the next says behind whom");
    assert!(w.starts(&early));
}

#[test]
fn a_job_that_becomes_the_next_is_woken_once_to_say_what_it_is_behind() {
    let mut w = world();
    let (holder, early, late) = (job("holder"), job("early").expiring_in(1), job("late").expiring_in(9));
    assert!(w.starts(&holder));
    assert_eq!(w.take(&early), behind("holder"));
    assert_eq!(w.take(&late), Turn::Later);
    assert_eq!(w.idles(&early), ["late"], "it is the next now");
    assert_eq!(w.take(&late), behind("holder"));
    assert_eq!(w.completes(&holder), ["late"], "woken again: it may start");
    assert!(w.starts(&late));
}

#[test]
fn a_portal_never_has_two_requests_whatever_the_secrets_and_no_object_of_another_namespace_is_named() {
    let mut w = world();
    let (ours, theirs) = (job("a"), job("b").of("finance").with("other"));
    assert!(w.starts(&ours));
    assert_eq!(w.take(&theirs), behind("other"));
    assert_eq!(w.completes(&ours), ["b"]);
}

/// A run of one organisation stopped those of all others.
#[test]
fn two_organizations_share_nothing() {
    let mut w = world();
    let (prod, staging) = (job("prod").for_the_organization(), job("staging").for_the_organization().with("staging"));
    let (elsewhere, other_key) = (prod.clone().of("finance"), prod.candidate());
    assert!(w.starts(&prod) && w.starts(&staging) && w.starts(&elsewhere));
    let mut another = other_key;
    another.id.name = "another".to_owned();
    another.route.lane.account.secret.key = "other".to_owned();
    another.route.access.secret.key = "other".to_owned();
    another.route.access.target = crate::replay::TargetKey::Organization(another.route.lane.account.clone());
    assert_eq!(w.scheduler.take(&another, false, w.now).0, Turn::Ours, "another key of the same Secret");
    assert_ne!(w.take(&job("more").for_the_organization()), Turn::Ours);
}

#[test]
fn lanes_do_not_hold_each_other_up_and_nor_does_a_job_whose_target_is_reserved() {
    let mut w = world();
    assert!(w.starts(&job("elsewhere").of("finance").with("other")));
    assert_eq!(w.take(&job("stuck").expiring_in(1)), behind("other"));
    assert!(w.starts(&job("free").at("q")), "starts before the job that cannot");
}

#[test]
fn with_serialize_portal_the_portals_of_a_region_run_side_by_side() {
    let mut w = world();
    let of_a_portal = |id: &str| job(id).with_lanes_per_portal();
    assert!(w.starts(&of_a_portal("a")) && w.starts(&of_a_portal("b").at("q")));
    assert_eq!(w.take(&of_a_portal("c")), behind("a"));
}

#[test]
fn what_is_under_way_at_a_start_is_taken_as_found_and_the_same_job_is_named_each_time() {
    let mut w = world();
    for n in 0..20 {
        let _ = w.scheduler.reserve(&job(&format!("run-{n:02}")).candidate(), w.now);
        assert_eq!(w.take(&job("waiting").expiring_in(1)), behind("run-00"));
    }
}

#[test]
fn a_re_created_object_is_another_one_and_both_are_found_by_name() {
    let mut w = world();
    let mut second = job("a").candidate();
    second.id.uid = "another".to_owned();
    assert!(w.starts(&job("a")));
    assert_eq!(w.scheduler.take(&second, false, w.now).0, behind("a"));
    assert_eq!(w.scheduler.named("audit", "a").len(), 2);
    assert!(w.scheduler.named("finance", "a").is_empty());
}

/// A job kept the lane of its old Secret.
#[test]
fn a_job_that_changes_its_secret_while_it_waits_takes_its_place_in_the_other_lane() {
    let mut w = world();
    let (a, b) = (job("a"), job("b").at("q").with("t"));
    assert!(w.starts(&a) && w.starts(&b));
    assert_eq!(w.take(&a.clone().with("t")), behind("b"), "its pass began with the old Secret");
    let waiting = job("c").at("q");
    w.completes(&b);
    assert!(w.starts(&waiting), "the old lane is free");
}

#[test]
fn the_request_of_an_object_that_is_gone_reserves_until_it_must_have_shown() {
    let mut w = world();
    let (gone, next, elsewhere) = (job("gone"), job("next"), job("elsewhere").with("t").of("finance"));
    assert!(w.starts(&gone));
    let end = w.now + secs(70);
    assert_eq!(w.scheduler.vanished(&gone.candidate().id, end, w.now).into_iter().count(), 0);
    assert!(w.scheduler.has_leftovers());
    assert_eq!((w.take(&next), w.take(&elsewhere)), (behind("gone"), behind("other")));
    assert_eq!(w.after(secs(69)).due(), [""; 0]);
    assert_eq!(w.after(secs(1)).due(), ["next", "elsewhere"]);
    assert!(w.starts(&next) && !w.scheduler.has_leftovers());
}

#[test]
fn one_that_only_waited_and_is_gone_leaves_nothing() {
    let mut w = world();
    w.waits(&job("a"));
    let end = w.now + secs(70);
    let _ = w.scheduler.vanished(&job("a").candidate().id, end, w.now);
    assert_eq!(w.scheduler, world().scheduler);
}

#[test]
fn after_a_leader_that_did_not_end_in_order_no_job_starts_for_a_while() {
    let mut w = world();
    w.scheduler.rest_until(w.now + secs(70));
    assert_eq!(w.waits(&job("a")), [""; 0]);
    assert_eq!(w.take(&job("a")), Turn::NotYet { wait: secs(70) });
    assert_eq!(w.after(secs(70)).due(), ["a"]);
    assert!(w.starts(&job("a")));
}

#[test]
fn a_pass_that_is_lost_is_made_up_for_after_a_minute() {
    let mut w = world();
    assert_eq!(w.waits(&job("a")), [""; 0], "its own pass is on its way");
    assert_eq!(w.after(secs(59)).due(), [""; 0]);
    assert_eq!(w.after(secs(1)).due(), ["a"]);
}

#[test]
fn a_user_who_asks_for_a_try_now_gets_it_unless_something_is_reserved() {
    let mut w = world();
    let (a, b) = (job("a"), job("b").at("q"));
    w.starts_and_finds(&a, crate::replay::WaitCause::Portal);
    assert_eq!(w.scheduler.take(&a.candidate(), true, w.now).0, Turn::Ours);
    assert_eq!(w.scheduler.take(&b.candidate(), true, w.now).0, behind("a"));
}
