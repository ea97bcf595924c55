//! Tenants beside each other, and reporters that are gone.

use super::fixtures::*;
use crate::replay::WaitCause;

/// A tenant with many Secrets has no more turns than one with one.
#[test]
fn namespaces_take_turns_at_probing_a_region() {
    for secrets in [2, 5, 20, 60] {
        let mut w = world();
        let bad: Vec<Job> = (0..secrets)
            .map(|n| job(&format!("bad-{n:02}")).of("bad").with(&format!("s{n:02}")).at(&format!("p{n:02}")))
            .collect();
        let good = job("good").of("good").with("g").at("q");
        for job in &bad {
            w.waits(job);
        }
        w.starts_and_finds(&bad[0], WaitCause::Konnect);
        w.starts_and_finds(&bad[1], WaitCause::Konnect);
        w.waits(&good);
        let begun = w.now;
        let mut waited = None;
        'time: for _ in 0..4 * 3600 {
            w.now += secs(1);
            for name in w.due() {
                if name == "good" {
                    if w.starts(&good) {
                        waited = Some((w.now - begun).as_secs());
                        break 'time;
                    }
                } else if let Some(job) = bad.iter().find(|job| job.id == name)
                    && w.starts(job)
                {
                    w.finds(job, WaitCause::Konnect);
                }
            }
        }
        assert!(waited.is_some_and(|s| s <= 200), "{secrets} Secrets of another tenant: {waited:?} s");
    }
}

#[test]
fn no_job_that_is_gone_is_named() {
    let mut w = world();
    let (a, b) = (job("a"), job("b"));
    w.waits(&b);
    w.starts_and_finds(&a, WaitCause::Portal);
    w.completes(&a);
    assert_ne!(w.take(&b), held_back("a", WaitCause::Portal));
}

#[test]
fn a_job_that_names_another_secret_speaks_no_more_for_the_one_before() {
    let mut w = world();
    let b = job("b").with("s");
    w.waits(&b);
    w.starts_and_finds(&job("a").with("s"), WaitCause::Secret);
    w.waits(&job("a").with("t"));
    assert_ne!(w.take(&b), held_back("a", WaitCause::Secret));
}
