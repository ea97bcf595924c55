//! A region that does not answer: with one account the cause may be its own, two open the circuit breaker.

use super::fixtures::*;
use crate::replay::WaitCause;
use crate::replay::scheduler::Answer;

#[test]
fn portals_of_one_account_that_do_not_answer_hold_up_no_other_portal() {
    let mut w = world();
    for n in 0..40 {
        w.starts_and_finds(&job(&format!("b{n}")).at(&format!("p{n}")), WaitCause::Konnect);
    }
    assert!(w.starts(&job("good").at("q")) && w.starts(&job("other").with("t").at("r")));
}

#[test]
fn two_accounts_without_an_answer_stop_the_region_and_one_job_at_a_time_probes_it_in_turns() {
    let mut w = world();
    let jobs: Vec<Job> = (0..4).map(|n| job(&format!("j{n}")).with(&format!("s{n}")).at(&format!("p{n}"))).collect();
    for job in &jobs {
        w.waits(job);
    }
    w.starts_and_finds(&jobs[0], WaitCause::Konnect);
    assert!(w.starts(&jobs[2]), "one account is no region");
    w.completes(&jobs[2]);
    w.waits(&jobs[2]);
    w.starts_and_finds(&jobs[1], WaitCause::Konnect);
    assert_eq!(w.take(&jobs[3]), held_back("j0", WaitCause::Konnect));
    assert!(w.starts(&job("elsewhere").with("s3").in_region(US)), "another region works");
    let mut probed = Vec::new();
    for _ in 0..8 * 60 {
        w.now += secs(1);
        for name in w.due() {
            let job = jobs.iter().find(|job| job.id == name).unwrap();
            if w.starts(job) {
                w.finds(job, WaitCause::Konnect);
                probed.push(name);
            }
        }
    }
    assert!(probed.len() <= 8, "one look a minute: {probed:?}");
    let mut all = probed.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "each account gets its turn: {probed:?}");
    let woken = w.scheduler.answered(&jobs[0].candidate().route, Answer::Status(404), w.now);
    let woken: Vec<String> = woken.into_iter().map(|id| id.name).collect();
    assert!(woken.contains(&"j3".to_owned()), "the first answer ends it, even an error: {woken:?}");
}

#[test]
fn an_answer_in_between_shows_that_it_is_not_the_region() {
    let mut w = world();
    let (a, b) = (job("a"), job("b").with("t").at("q"));
    w.starts_and_finds(&a, WaitCause::Konnect);
    let _ = w.scheduler.answered(&b.candidate().route, Answer::Free, w.now);
    w.starts_and_finds(&b, WaitCause::Konnect);
    assert!(w.starts(&job("c").with("u").at("r")));
}

#[test]
fn a_prober_that_is_lost_is_followed_by_another() {
    let mut w = world();
    let jobs: Vec<Job> = (0..3).map(|n| job(&format!("j{n}")).with(&format!("s{n}")).at(&format!("p{n}"))).collect();
    w.starts_and_finds(&jobs[0], WaitCause::Konnect);
    w.starts_and_finds(&jobs[1], WaitCause::Konnect);
    w.waits(&jobs[2]);
    assert!(w.after(secs(75)).starts(&jobs[2]), "its turn or not, after a while");
    w.completes(&jobs[2]);
    w.now += secs(31);
    assert!(!w.due().is_empty());
    assert!(w.starts(&jobs[0]) || w.starts(&jobs[1]));
}

#[test]
fn runs_under_way_that_fail_to_be_read_do_not_put_the_probe_off() {
    let mut w = world();
    let jobs: Vec<Job> = (0..3).map(|n| job(&format!("j{n}")).with(&format!("s{n}")).at(&format!("p{n}"))).collect();
    w.waits(&jobs[2]);
    for _ in 0..10 {
        for job in &jobs[..2] {
            let _ = w.scheduler.reserve(&job.candidate(), w.now);
            let _ = w.scheduler.failed(&job.candidate(), WaitCause::Konnect, mins(1), w.now);
        }
        w.now += secs(10);
    }
    assert!(w.starts(&jobs[2]));
}
