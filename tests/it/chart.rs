//! The chart's values name every setting of the program, and state its own defaults.

use clap::CommandFactory;
use konnect_replay::cli::Cli;

const VALUES: &str = include_str!("../../deploy/helm/konnect-replay/values.yaml");
/// What the chart sets by itself, each in its own way: the port, the lease, the file of `konnect.caBundle`, the election.
const ELSEWHERE: [&str; 5] = ["listen", "lease-namespace", "lease-name", "ca-bundle", "leader-elect"];

/// The key of a flag in the chart's values, such as `pollInterval` of `poll-interval`; what is not `--konnect-…` for the user
/// is simply named.
fn key(flag: &str) -> String {
    let mut words = flag.trim_start_matches("konnect-").trim_start_matches("log-").split('-');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |key, word| key + &word[..1].to_uppercase() + &word[1..])
}

/// The comment above a key, and the line itself.
fn entry(key: &str) -> String {
    let lines: Vec<&str> = VALUES.lines().collect();
    let at = lines.iter().position(|line| line.trim_start().starts_with(&format!("{key}:")));
    let at = at.unwrap_or_else(|| panic!("values.yaml has no {key}"));
    lines[at - 1..=at].join("\n")
}

#[test]
fn every_flag_is_a_value_and_what_an_empty_one_means_is_said() {
    let cli = Cli::command();
    let run = cli.find_subcommand("run").unwrap();
    for flag in run.get_arguments().filter(|arg| arg.get_id() != "help") {
        let name = flag.get_long().unwrap();
        if ELSEWHERE.contains(&name) {
            continue;
        }
        let entry = entry(&key(name));
        let defaults: Vec<_> = flag.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
        let said =
            if defaults.is_empty() { "all if empty".to_owned() } else { format!("Empty: `{}`.", defaults.join(",")) };
        assert!(entry.contains(&said), "--{name} ({said}) is not what values.yaml says:\n{entry}");
    }
}
