//! What is checked before anything is called, and what is printed without a cluster.

use chrono::{TimeDelta, Utc};
use konnect_replay_core::api::{AuditLogReplayJob, WindowSpec};
use kube::api::PostParams;

use super::{Plugin, Ran, binary, hours_ago, run, times};
use crate::support::{PORTAL, World};

fn plugin(args: &[&str]) -> Ran {
    run(binary(args))
}

const TARGET: [&str; 5] = ["create", "--region", "eu", "--portal", PORTAL];

fn create(more: &[&str]) -> Ran {
    plugin(&[&TARGET, more].concat())
}

#[test]
fn the_version_is_that_of_the_package() {
    let ran = plugin(&["--version"]);
    assert_eq!((ran.code, ran.out), (Some(0), format!("kubectl-replay {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_arguments_end_with_2_and_a_hint() {
    let late = hours_ago(8 * 24);
    let older = hours_ago(7 * 24 + 1);
    for (args, hint) in [
        (&[][..], "Usage: kubectl replay"),
        (&["walk"], "unrecognized subcommand"),
        (&["create", "--region", "eu", "--last", "1h"], "<--portal <UUID>|--organization>"),
        (&["create", "--portal", PORTAL, "--last", "1h"], "--region <REGION>"),
        (&["create", "--region", "eu", "--organization"], "<--last <DURATION>|--from <TIME>>"),
        (&["create", "--region", "eu", "--organization", "--portal", PORTAL, "--last", "1h"], "cannot be used with"),
        (&["create", "--region", "eu", "--organization", "--last", "25h"], "by --from and --to"),
        (&["create", "--region", "eu", "--organization", "--last", "0s"], "at least a second"),
        (&["create", "--region", "eu", "--organization", "--last", "6"], "write a duration like 15m, 1h30m or 24h"),
        (&["create", "--region", "eu", "--organization", "--last", "1h", "--to", &late], "cannot be used with"),
        (
            &["create", "--region", "eu", "--organization", "--from", "2026-11-20T08:00:00"],
            "write it as 2026-11-20T08:00:00Z or",
        ),
        (&["create", "--region", "eu", "--organization", "--from", "yesterday"], "write it as 2026-11-20T08:00:00Z or"),
        (
            &["create", "--region", "eu", "--organization", "--from", &late, "--to", &late],
            "all events of this window are deleted",
        ),
        (
            &["create", "--region", "eu", "--organization", "--from", &older, "--to", &hours_ago(5)],
            "add --expiry-policy Clamp",
        ),
        (
            &["create", "--region", "eu", "--organization", "--last", "1h", "--active-deadline", "0s"],
            "between 1s and 365d",
        ),
        (
            &["create", "--region", "eu", "--organization", "--last", "1h", "--active-deadline", "366d"],
            "between 1s and 365d",
        ),
        (&["create", "--region", "eu", "--organization", "--last", "1h", "--ttl", "366d"], "between 1m and 365d"),
        (
            &["create", "--region", "eu", "--organization", "--last", "1h", "--ttl", "3600"],
            "write a duration like 15m, 1h30m or 24h",
        ),
        (
            &["create", "--region", "eu", "--organization", "--last", "1h", "--ttl", "59s"],
            "spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished is at least 60",
        ),
        (&["create", "--region", "eu", "--organization", "--last", "1h", "--timeout", "1h"], "--wait"),
        (&["status", "x", "--wait", "--timeout", "500000000000y"], "the most is 365d"),
        (&["list", "--request-timeout", "366d"], "the most is 365d"),
        (
            &["create", "--region", "eu", "--organization", "--last", "1h", "--wait", "-o", "yaml"],
            "cannot be used with",
        ),
        (&["list", "-A", "-n", "audit"], "cannot be used with"),
        (&["status"], "<NAME>"),
    ] {
        let ran = plugin(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:#?}");
        assert!(ran.err.contains(hint) && ran.out.is_empty(), "{args:?}: {ran:#?}");
    }
}

#[test]
fn last_is_resolved_to_absolute_times_and_said() {
    for (last, seconds) in [("15m", 900), ("6h", 6 * 3600), ("1h30m", 5400), ("24h", 86_400)] {
        let before = Utc::now() - TimeDelta::seconds(1);
        let ran = create(&["--last", last, "-o", "yaml"]);
        let (said, printed) = (times(&ran.err), times(&ran.out));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert_eq!(said[1] - said[0], TimeDelta::seconds(seconds), "{ran:#?}");
        assert!(before <= said[1] && said[1] <= Utc::now(), "{ran:#?}");
        assert_eq!((printed[1], printed[0]), (said[0], said[1]), "endAt, then startAt: {ran:#?}");
    }
}

#[test]
fn times_of_any_zone_become_utc_in_whole_seconds() {
    let (from, to) = (Utc::now() - TimeDelta::hours(3), Utc::now() - TimeDelta::hours(2));
    let local = |time: chrono::DateTime<Utc>| {
        let zone = chrono::FixedOffset::east_opt(2 * 3600).unwrap();
        time.with_timezone(&zone).format("%FT%T.500%:z").to_string()
    };
    let ran = create(&["--from", &local(from), "--to", &local(to), "-o", "yaml"]);
    assert_eq!(times(&ran.err)[1] - times(&ran.err)[0], TimeDelta::seconds(3601), "outwards: {ran:#?}");
    assert!(ran.out.contains("Z\"") && !ran.out.contains("+02:00"), "{ran:#?}");
}

#[test]
fn all_presets_of_konnect_are_taken() {
    for preset in ["15m", "30m", "1h", "3h", "6h", "12h", "24h"] {
        assert_eq!(create(&["--last", preset, "-o", "json"]).code, Some(0), "{preset}");
    }
}

#[test]
fn the_same_arguments_make_the_same_name_and_others_another() {
    let (from, to) = (hours_ago(5), hours_ago(4));
    let name = |args: &[&str]| {
        let object: serde_json::Value = serde_json::from_str(&plugin(args).out).unwrap();
        object["metadata"]["name"].as_str().unwrap().to_owned()
    };
    let window = ["--from", &from, "--to", &to, "-o", "json"];
    let portal = [&TARGET[..], &window].concat();
    let organization = [&["create", "--region", "eu", "--organization"][..], &window].concat();
    assert_eq!(name(&portal), name(&portal));
    assert_ne!(name(&portal), name(&organization));
    assert!(name(&portal).starts_with("eu-6b1e4f0c-20") && name(&portal).ends_with("z-1h"), "{}", name(&portal));
}

#[test]
fn a_namespace_is_printed_only_if_it_was_named() {
    assert!(!create(&["--last", "1h", "-o", "yaml"]).out.contains("namespace"));
    assert!(create(&["--last", "1h", "-o", "yaml", "-n", "audit"]).out.contains("namespace: audit"));
}

#[test]
fn whoever_prints_an_object_with_a_time_to_live_is_told_that_it_is_not_for_git() {
    let with = create(&["--last", "1h", "--ttl", "1d", "-o", "yaml"]);
    assert!(with.out.contains("ttlSecondsAfterFinished: 86400"), "{with:#?}");
    assert!(with.err.contains("Leave --ttl out of what a tool applies from Git"), "{with:#?}");
    let without = create(&["--last", "1h", "-o", "yaml"]);
    assert!(!without.out.contains("ttl") && !without.err.contains("--ttl"), "{without:#?}");
}

/// What the API server says of a spec that the plugin would make of `args`.
async fn said_by_the_server(world: &World, change: impl FnOnce(&mut AuditLogReplayJob)) -> String {
    let mut job = world.job("refused").build();
    change(&mut job);
    world.jobs().create(&PostParams::default(), &job).await.unwrap_err().to_string()
}

type Change = Box<dyn FnOnce(&mut AuditLogReplayJob)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_in_the_words_of_the_server_before_it_is_asked() {
    let world = World::builder().without_operator().build().await;
    let upper = PORTAL.to_uppercase();
    let window = |start: &str, end: &str| {
        let window = WindowSpec { start_at: start.to_owned(), end_at: end.to_owned() };
        Box::new(move |job: &mut AuditLogReplayJob| job.spec.window = window)
    };
    let old = ["2019-12-31T00:00:00Z", "2019-12-31T01:00:00Z"];
    let long = [hours_ago(170), hours_ago(1)];
    let turned = [hours_ago(1), hours_ago(2)];
    let rows: Vec<(Vec<&str>, Change)> = vec![
        (
            vec!["--region", "EU", "--organization", "--last", "1h"],
            Box::new(|job| job.spec.target.region = "EU".to_owned()),
        ),
        (
            vec!["--region", "global", "--organization", "--last", "1h"],
            Box::new(|job| job.spec.target.region = "global".to_owned()),
        ),
        (
            vec!["--region", "eu", "--portal", &upper, "--last", "1h"],
            Box::new(|job| job.spec.target.portal_id = Some(PORTAL.to_uppercase())),
        ),
        (vec!["--region", "eu", "--organization", "--from", old[0], "--to", old[1]], window(old[0], old[1])),
        (vec!["--region", "eu", "--organization", "--from", &long[0], "--to", &long[1]], window(&long[0], &long[1])),
        (
            vec!["--region", "eu", "--organization", "--from", &turned[0], "--to", &turned[1]],
            window(&turned[0], &turned[1]),
        ),
        (
            vec!["--region", "eu", "--organization", "--last", "1h", "--secret", "Token"],
            Box::new(|job| job.spec.token_secret_ref.name = "Token".to_owned()),
        ),
        (
            vec!["--region", "eu", "--organization", "--last", "1h", "--secret-key", "a/b"],
            Box::new(|job| job.spec.token_secret_ref.key = "a/b".to_owned()),
        ),
        (
            vec!["--region", "eu", "--organization", "--last", "1h", "--ttl", "59s"],
            Box::new(|job| job.spec.ttl_seconds_after_finished = Some(59)),
        ),
    ];
    let rows_in_all = rows.len();
    let plugin = Plugin::of(&world);
    let before = world.audit().resource("auditlogreplayjobs").verb("create").count().unwrap();
    for (args, change) in rows {
        let ran = plugin.run(&[&["create"], &args[..]].concat()).await;
        let server = said_by_the_server(&world, change).await;
        let line = ran.err.trim_end().strip_prefix("kubectl-replay: ").unwrap();
        let (field, message) = line.split_once(": ").unwrap();
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:#?}");
        assert!(server.contains(field) && server.contains(message), "{line}\n{server}");
        assert!(ran.out.is_empty(), "nothing is said of a window that is not meant");
    }
    let asked = || world.audit().resource("auditlogreplayjobs").verb("create").code(422).count().unwrap();
    super::eventually(|| asked() >= rows_in_all, || format!("{} of {rows_in_all} in the audit log", asked())).await;
    let creates = world.audit().resource("auditlogreplayjobs").verb("create").count().unwrap() - before;
    assert_eq!(creates, rows_in_all, "only ours: the plugin asked nobody");
}
