//! Which failure of one job holds up which other job: the table of docs/starvation.md, made from the code.

use super::fixtures::*;
use crate::replay::WaitCause;

const DOC: &str = include_str!("../../../../../../docs/starvation.md");

/// What happens to job A.
#[derive(Clone, Copy)]
enum Fault {
    Runs,
    Finds(WaitCause),
    /// And so does a job of yet another account.
    FindsAndAnother,
}

const FAULTS: [(&str, Fault); 14] = [
    ("A's run is under way", Fault::Runs),
    ("A's Secret has no token", Fault::Finds(WaitCause::Secret)),
    ("A's token: 401", Fault::Finds(WaitCause::Credentials)),
    ("A's token: 429", Fault::Finds(WaitCause::RateLimit)),
    ("GET: 403", Fault::Finds(WaitCause::Permission)),
    ("GET: 404", Fault::Finds(WaitCause::Portal)),
    ("GET: another 4xx", Fault::Finds(WaitCause::Rejected)),
    ("GET: another run", Fault::Finds(WaitCause::RemoteJob)),
    ("webhook off", Fault::Finds(WaitCause::Webhook)),
    ("PUT: 409, GET: free", Fault::Finds(WaitCause::Conflict)),
    ("PUT refused", Fault::Finds(WaitCause::PutRefused)),
    ("PUT lost", Fault::Finds(WaitCause::NotTaken)),
    ("no answer, one account", Fault::Finds(WaitCause::Konnect)),
    ("no answer, two accounts", Fault::FindsAndAnother),
];

/// Whether B may start while A is in `fault`, and B comes first in its queue.
fn goes(a: &Job, b: &Job, fault: Fault) -> bool {
    let mut w = world();
    assert!(w.starts(a));
    match fault {
        Fault::Runs => {}
        Fault::Finds(cause) => {
            w.finds(a, cause);
        }
        Fault::FindsAndAnother => {
            w.finds(a, WaitCause::Konnect);
            let third = job("third").of("third").with("third").at("r").in_region(&a.base_url);
            w.starts_and_finds(&third, WaitCause::Konnect);
        }
    }
    w.starts(b)
}

/// The cell for one relation of B to A, over both versions and both policies of B.
fn cell(a: &Job, b: &Job, fault: Fault) -> &'static str {
    let v3 = |job: &Job| job.clone().under_v3();
    let ignores = |job: &Job| job.clone().ignoring_the_webhook();
    match [b.clone(), v3(b), ignores(b), ignores(&v3(b))].map(|b| goes(a, &b, fault)) {
        [true, true, true, true] => "-",
        [false, false, false, false] => "waits",
        [false, true, false, true] => "waits (same version)",
        [false, true, true, true] => "waits (same version, RequireEnabled)",
        other => panic!("a relation that the table has no words for: {other:?}"),
    }
}

type Change = fn(Job) -> Job;
/// A and B.
type Pair = fn() -> (Job, Job);

fn relations() -> Vec<(String, Job, Job)> {
    let mut relations = Vec::new();
    let tokens: [(&str, Change); 3] = [
        ("same namespace, same Secret", |b| b),
        ("same namespace, other Secret", |b| b.with("t")),
        ("other namespace", |b| b.of("finance")),
    ];
    let regions: [(&str, Change); 2] = [("same region", |b| b), ("other region", |b| b.in_region(US))];
    let targets: [(&str, Pair); 3] = [
        ("same portal", || (job("a"), job("b").expiring_in(1))),
        ("other portal", || (job("a"), job("b").at("q").expiring_in(1))),
        ("both Organization", || (job("a").for_the_organization(), job("b").for_the_organization().expiring_in(1))),
    ];
    for (region, in_region) in regions {
        for (token, with_token) in tokens {
            for (target, pair) in targets {
                let (a, b) = pair();
                relations.push((format!("{region}, {token}, {target}"), a, in_region(with_token(b))));
            }
        }
    }
    relations
}

fn table() -> String {
    let mut lines = Vec::new();
    for (region, rows) in ["same region", "other region"].map(|region| {
        (region, relations().into_iter().filter(|(name, ..)| name.starts_with(region)).collect::<Vec<_>>())
    }) {
        lines.push(format!("### B in the {region}\n"));
        let strip = |name: &str| name.trim_start_matches(region).trim_start_matches(", ").to_owned();
        lines
            .push(format!("| while | {} |", rows.iter().map(|(name, ..)| strip(name)).collect::<Vec<_>>().join(" | ")));
        lines.push(format!("| --- |{}", " --- |".repeat(rows.len())));
        for (words, fault) in FAULTS {
            let cells: Vec<&str> = rows.iter().map(|(_, a, b)| cell(a, b, fault)).collect();
            lines.push(format!("| {words} | {} |", cells.join(" | ")));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

#[test]
fn the_table_of_who_waits_for_what_is_the_codes_own() {
    let table = table();
    assert!(DOC.contains(table.trim()), "docs/starvation.md is to have these tables:\n\n{table}");
}
