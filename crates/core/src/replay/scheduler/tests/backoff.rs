//! A failure holds up the jobs that share its key, and no other; it grows, ends, and is forgotten.

use std::time::Duration;

use super::fixtures::*;
use crate::replay::WaitCause;
use crate::replay::scheduler::Turn;

/// A 404 that one token found stopped the right token at the same portal.
#[test]
fn what_one_token_saw_concerns_no_other_token() {
    for cause in
        [WaitCause::Portal, WaitCause::Webhook, WaitCause::Permission, WaitCause::Credentials, WaitCause::RateLimit]
    {
        let mut w = world();
        let (wrong, right) = (job("wrong").of("b"), job("right"));
        w.starts_and_finds(&wrong, cause);
        assert!(w.starts(&right), "{cause:?}");
    }
}

/// The operator advised another object with v3, which then waited without end.
#[test]
fn what_was_seen_under_one_version_of_the_api_concerns_no_other() {
    let mut w = world();
    w.starts_and_finds(&job("old"), WaitCause::Portal);
    assert!(w.starts(&job("new").under_v3()));
}

/// `Ignore` was not honoured while another job waited for the webhook.
#[test]
fn a_webhook_that_is_off_concerns_no_job_that_ignores_it() {
    let mut w = world();
    w.starts_and_finds(&job("requires"), WaitCause::Webhook);
    assert_eq!(w.take(&job("requires too")), held_back("requires", WaitCause::Webhook));
    assert!(w.starts(&job("ignores").ignoring_the_webhook()));
}

/// What Konnect says of a token in one region says nothing of another; what Kubernetes says of a Secret does.
#[test]
fn a_token_that_one_region_refuses_works_in_the_other_and_a_missing_secret_in_none() {
    for (cause, goes) in [(WaitCause::Credentials, true), (WaitCause::RateLimit, true), (WaitCause::Secret, false)] {
        let mut w = world();
        w.starts_and_finds(&job("a"), cause);
        assert_eq!(w.starts(&job("b").in_region(US)), goes, "{cause:?}");
    }
}

/// A portal whose PUT always fails kept its lane until every window behind it had expired.
#[test]
fn a_portal_whose_put_always_fails_is_tried_ever_more_rarely_and_the_lane_goes_on() {
    for cause in [WaitCause::NotTaken, WaitCause::PutRefused] {
        let mut w = world();
        let broken = job("broken").expiring_in(1);
        let (mut waited, mut others) = (Vec::new(), 0);
        for _ in 0..7 {
            w.starts_and_finds(&broken, cause);
            let tried = w.now;
            w.now += Duration::from_millis(1);
            while !w.due().contains(&"broken".to_owned()) {
                let other = job(&format!("other-{others}")).at(&format!("q-{others}"));
                assert!(w.starts(&other), "{cause:?}: another portal goes meanwhile: {:?}", w.take(&other));
                let _ = w.scheduler.accepted(&other.candidate().route, w.now);
                w.completes(&other);
                (others, w.now) = (others + 1, w.now + secs(30));
            }
            waited.push((w.now - tried).as_secs());
        }
        let at_once = if cause == WaitCause::NotTaken { vec![0] } else { Vec::new() };
        let expected: Vec<u64> = at_once.into_iter().chain([60, 120, 240, 480, 600, 600, 600]).take(7).collect();
        assert_eq!(waited, expected, "{cause:?}");
    }
}

#[test]
fn after_a_put_that_failed_targets_whose_put_did_not_fail_go_first_until_one_is_accepted() {
    let mut w = world();
    let (broken, healthy) = (job("broken").expiring_in(1), job("healthy").at("q"));
    w.starts_and_finds(&broken, WaitCause::NotTaken);
    w.after(mins(1)).waits(&healthy);
    assert_eq!(w.take(&broken), Turn::HeldBack { blocked_by: None, cause: WaitCause::NotTaken });
    assert!(w.starts(&healthy));
    let _ = w.scheduler.accepted(&healthy.candidate().route, w.now);
    w.waits(&job("healthy too").at("q"));
    assert_eq!(w.completes(&healthy), ["broken"], "the earliest expiry is first again");
}

#[test]
fn many_broken_portals_before_a_good_one_do_not_starve_it() {
    let mut w = world();
    let broken: Vec<Job> =
        (0..40).map(|n| job(&format!("broken-{n:02}")).at(&format!("p-{n}")).expiring_in(1)).collect();
    let good: Vec<Job> = (0..10).map(|n| job(&format!("good-{n}")).at(&format!("q-{n}"))).collect();
    for job in broken.iter().chain(&good) {
        w.waits(job);
    }
    let mut done = 0;
    for _ in 0..1_000 {
        for job in &broken {
            if w.starts(job) {
                w.now += secs(70); // a request of unknown outcome reserves for the settle time
                w.finds(job, WaitCause::NotTaken);
            }
        }
        for job in &good {
            if done < good.len() && w.starts(job) {
                let _ = w.scheduler.accepted(&job.candidate().route, w.now);
                w.completes(job);
                done += 1;
            }
        }
        if done == good.len() {
            break;
        }
        w.now += secs(1);
    }
    assert!(done == good.len() && w.now < secs(1000) + secs(50 * 70 + 120), "{done} after {:?}", w.now);
}

/// A 409 although the GET shows the target free.
#[test]
fn a_conflict_holds_the_account_up_for_a_minute_and_its_own_target_for_longer_each_time() {
    let mut w = world();
    let (a, b) = (job("a").expiring_in(1), job("b").at("q"));
    w.waits(&b);
    w.starts_and_finds(&a, WaitCause::Conflict);
    assert_eq!(w.take(&b), held_back("a", WaitCause::Conflict));
    assert_eq!(w.after(mins(1)).due(), ["b"], "targets that were not refused go first");
    assert!(w.starts(&b));
    let _ = w.scheduler.accepted(&b.candidate().route, w.now);
    w.completes(&b);
    w.starts_and_finds(&a, WaitCause::Conflict);
    assert!(!w.after(secs(119)).starts(&a));
    assert!(w.after(secs(1)).starts(&a));
}

/// One hung run of another party slowed its lane to one job per ten minutes.
#[test]
fn another_run_at_one_portal_holds_up_that_portal_alone() {
    let mut w = world();
    let blocked = job("blocked").expiring_in(1);
    w.starts_and_finds(&blocked, WaitCause::RemoteJob);
    for n in 0..30 {
        let other = job(&format!("other-{n}")).at("q");
        assert!(w.starts(&other), "{n}");
        let _ = w.scheduler.accepted(&other.candidate().route, w.now);
        w.completes(&other);
    }
    assert_eq!(w.take(&job("same portal")), held_back("blocked", WaitCause::RemoteJob));
}

/// A token that may read but not PUT woke all jobs of the target each minute.
#[test]
fn what_a_put_found_is_not_over_because_a_get_works() {
    let mut w = world();
    let (a, b) = (job("a"), job("b"));
    w.starts_and_finds(&a, WaitCause::PutRefused);
    w.take(&b);
    let woken = w.scheduler.answered(&a.candidate().route, crate::replay::scheduler::Answer::Free, w.now);
    assert_eq!(woken.into_iter().count(), 0);
    assert_eq!(w.take(&b), held_back("a", WaitCause::PutRefused));
    let woken = w.scheduler.accepted(&a.candidate().route, w.now);
    assert_eq!(woken.into_iter().map(|id| id.name).collect::<Vec<_>>(), ["a", "b"], "their status speaks of it");
}

#[test]
fn a_look_that_finds_nothing_wrong_ends_what_looks_found_and_wakes_all_that_spoke_of_it() {
    for cause in [WaitCause::Portal, WaitCause::Permission, WaitCause::Rejected, WaitCause::Konnect] {
        let mut w = world();
        let (a, b, other) = (job("a"), job("b"), job("c").at("q"));
        w.starts_and_finds(&a, cause);
        assert_eq!(w.take(&b), held_back("a", cause));
        assert!(w.starts(&other));
        w.completes(&other);
        assert!(w.after(mins(1)).starts(&a));
        let woken = w.scheduler.answered(&a.candidate().route, crate::replay::scheduler::Answer::Free, w.now);
        assert_eq!(woken.into_iter().map(|id| id.name).collect::<Vec<_>>(), ["b"], "{cause:?}");
    }
}

#[test]
fn a_lane_looks_once_per_poll_interval_at_what_has_failed_and_its_targets_take_turns() {
    let mut w = world();
    let jobs: Vec<Job> = (0..6).map(|n| job(&format!("j{n}")).at(&format!("p-{n}")).expiring_in(n)).collect();
    for job in &jobs {
        w.starts_and_finds(job, WaitCause::Portal);
    }
    w.now += mins(1);
    let mut looked = Vec::new();
    let begin = w.now;
    for _ in 0..24 * 15 {
        for name in w.due() {
            let job = jobs.iter().find(|job| job.id == name).unwrap();
            w.starts_and_finds(job, WaitCause::Portal);
            looked.push(job.id.clone());
        }
        w.now += secs(1);
    }
    assert!(looked.len() <= 24 && looked.len() >= 23, "{} looks in {:?}", looked.len(), w.now - begin);
    assert_eq!(looked[..6], ["j0", "j1", "j2", "j3", "j4", "j5"]);
    assert_eq!(looked[6..12], looked[..6]);
}

/// A 429 that one portal alone answers: what is looked at is not always the earliest.
#[test]
fn the_targets_of_a_token_take_turns_at_looking_whether_konnect_accepts_it_again() {
    let mut w = world();
    let (broken, good) = (job("broken").expiring_in(1), job("good").at("q"));
    w.waits(&good);
    w.starts_and_finds(&broken, WaitCause::RateLimit);
    assert_eq!(w.after(mins(1)).due(), ["broken"], "the earliest of the jobs that have not probed");
    w.starts_and_finds(&broken, WaitCause::RateLimit);
    assert_eq!(w.after(mins(1)).due(), ["good"]);
    assert!(w.starts(&good));
}

/// A job that has not found its version asks v2 first: what another found there about the webhook concerns it.
#[test]
fn a_job_that_finds_its_version_shares_what_v2_says_of_the_webhook_and_not_that_it_does_not_know_the_target() {
    for (cause, goes) in [(WaitCause::Webhook, false), (WaitCause::PutRefused, false), (WaitCause::Portal, true)] {
        let mut w = world();
        w.starts_and_finds(&job("settled"), cause);
        assert_eq!(w.starts(&job("open").finding_its_version()), goes, "{cause:?}");
    }
}

/// A failure that is never corrected would be kept for ever.
#[test]
fn nothing_is_kept_of_a_key_whose_last_job_is_gone() {
    let mut w = world();
    for n in 0..100 {
        let a = job(&format!("a{n}")).with(&format!("s{n}")).at(&format!("p{n}"));
        w.starts_and_finds(&a, WaitCause::Konnect);
        w.after(mins(2)).starts_and_finds(&a, WaitCause::Conflict);
        w.completes(&a);
    }
    assert_eq!(w.scheduler, world().scheduler);
}

#[test]
fn a_status_write_does_not_lose_the_backoff_of_a_keys_only_job() {
    let mut w = world();
    let a = job("a");
    w.starts_and_finds(&a, WaitCause::NotTaken);
    w.waits(&a.clone().expiring_in(5));
    let _ = w.scheduler.idle(&a.candidate(), w.now);
    w.waits(&a);
    assert!(!w.starts(&a));
}

#[test]
fn another_job_speaks_for_what_a_job_that_is_gone_has_found() {
    let mut w = world();
    let (a, b, c) = (job("a"), job("b"), job("c"));
    w.starts_and_finds(&a, WaitCause::Portal);
    w.take(&b);
    w.completes(&a);
    assert_eq!(w.take(&c), held_back("b", WaitCause::Portal));
}

/// A job that has not found its version yet asks v2 first, like a job that has found v2.
#[test]
fn of_two_jobs_of_one_target_the_first_looks_again_whichever_of_them_knows_its_version() {
    let mut w = world();
    let settled = job("looks").expiring_in(1);
    w.starts_and_finds(&settled, WaitCause::Webhook);
    let open = job("waits").finding_its_version().expiring_in(2);
    assert_eq!(w.take(&open), held_back("looks", WaitCause::Webhook));
    w.after(mins(2));
    assert_ne!(w.take(&open), Turn::Ours);
    assert!(w.starts(&settled));
}
