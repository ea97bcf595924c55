//! From arguments to one validated [`Config`], units in the types. A wrong setting ends the program with a message that names
//! the flag, before anything is called.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::cli::{LogFormat, RunArgs, SerializeArg};
use konnect_replay_core::replay::{Policy, Serialize};

/// Shortest interval that is taken for meant.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Longest duration that is taken for meant: sums of a few of them, and dates that far away, can still be computed with.
const LONGEST_DURATION: Duration = Duration::from_hours(365 * 24);

/// Everything the operator was told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What decides what to do.
    pub policy: Policy,
    /// The namespaces to watch; all if empty.
    pub watch_namespaces: Vec<String>,
    /// How a token must begin.
    pub token_prefixes: Vec<String>,
    /// How replicas agree on who works; `None` if there is but one.
    pub lease: Option<Lease>,
    /// How many objects are worked on at once.
    pub concurrency: u16,
    /// Where probes and metrics are served.
    pub listen: SocketAddr,
    /// PEM certificates to trust besides the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// How log lines are written.
    pub log_format: LogFormat,
}

/// The lease by which replicas agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its namespace; `None` is the one this process runs in.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// A setting that cannot be worked with.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: {problem}")]
pub struct ConfigError {
    /// The flag.
    pub flag: &'static str,
    /// What is wrong with its value and what to do.
    pub problem: String,
}

impl Config {
    /// Checks the arguments of `run`.
    pub fn new(args: RunArgs) -> Result<Self, ConfigError> {
        check_regions(&args.regions)?;
        check_namespaces("--watch-namespaces", &args.watch_namespaces)?;
        check_namespaces("--lease-namespace", args.lease_namespace.as_slice())?;
        check_lease_name(&args.lease_name)?;
        check_one_host(&args)?;
        check_intervals(&args)?;
        Ok(Self {
            policy: policy(&args),
            token_prefixes: args.token_prefixes.into_iter().filter(|p| !p.is_empty()).collect(),
            watch_namespaces: each_once(args.watch_namespaces),
            lease: args.leader_elect.then_some(Lease { namespace: args.lease_namespace, name: args.lease_name }),
            concurrency: args.concurrency,
            listen: args.listen,
            ca_bundle: args.ca_bundle.as_deref().map(read_ca_bundle).transpose()?,
            log_format: args.log_format,
        })
    }
}

/// Within this of its promised end, a watch ends or is given up; `kube`'s own margin is 5 s.
const WATCH_MARGIN: Duration = Duration::from_secs(10);
/// What the apiserver gives a watch at least, and `kube` by default.
const WATCH_SECONDS: std::ops::RangeInclusive<u64> = 1..=290;

impl Config {
    /// How long one watch lasts, in seconds, before it is renewed where it left off: two `--request-timeout`s. On a connection that
    /// died without a word this is how long nothing is seen, 5 s more or less; renewing costs one call.
    pub fn watch_seconds(&self) -> u32 {
        let seconds = self.policy.request_timeout.as_secs().saturating_mul(2);
        u32::try_from(seconds.clamp(*WATCH_SECONDS.start(), *WATCH_SECONDS.end())).unwrap_or(u32::MAX)
    }

    /// How long the apiserver may be silent on a connection: longer than any watch.
    pub fn call_silence(&self) -> Duration {
        Duration::from_secs(u64::from(self.watch_seconds())) + WATCH_MARGIN
    }
}

fn policy(args: &RunArgs) -> Policy {
    Policy {
        konnect_url: args.konnect_url.clone(),
        regions: each_once(args.regions.clone()),
        serialize: match args.serialize {
            SerializeArg::Region => Serialize::Region,
            SerializeArg::Portal => Serialize::Portal,
        },
        poll_interval: args.poll_interval,
        retry_interval: args.retry_interval,
        retention: args.retention,
        ingest_delay: args.ingest_delay,
        get_lag: args.get_lag,
        backoff_base: args.backoff_base,
        request_timeout: args.request_timeout,
    }
}

fn check_regions(regions: &[String]) -> Result<(), ConfigError> {
    let wrong = |problem| Err(ConfigError { flag: "--regions", problem });
    if regions.is_empty() {
        return wrong("name at least one region".to_owned());
    }
    let is_region = |r: &String| r.len() == 2 && r.bytes().all(|b| b.is_ascii_lowercase());
    match regions.iter().find(|r| !is_region(r)) {
        Some(region) => wrong(format!("{region:?} is not a region: two lower-case letters each, such as us,eu")),
        None => Ok(()),
    }
}

/// A name that the API server takes: DNS labels with dots between them.
fn check_lease_name(name: &str) -> Result<(), ConfigError> {
    let is_plain = |label: &str| label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let is_label =
        |label: &str| is_plain(label) && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(());
    }
    let problem = format!("{name:?} is not a name for a Lease: give lower-case letters, digits, dashes and dots");
    Err(ConfigError { flag: "--lease-name", problem })
}

/// A URL without `{region}` is the host of one region: objects of another one would be sent to the wrong place.
fn check_one_host(args: &RunArgs) -> Result<(), ConfigError> {
    let regions = each_once(args.regions.clone());
    if args.konnect_url.has_region() || regions.len() == 1 {
        return Ok(());
    }
    let problem = format!(
        "{} has no {{region}} in it, so it is the host of one region, and --regions allows {}: write {{region}} where the region \
         stands in the host's name, or name the one region by --regions",
        args.konnect_url,
        regions.join(",")
    );
    Err(ConfigError { flag: "--konnect-url", problem })
}

fn check_namespaces(flag: &'static str, namespaces: &[String]) -> Result<(), ConfigError> {
    let is_label = |n: &String| {
        let inner = n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        inner && !n.is_empty() && n.len() <= 63 && !n.starts_with('-') && !n.ends_with('-')
    };
    match namespaces.iter().find(|n| !is_label(n)) {
        Some(name) => Err(ConfigError { flag, problem: format!("{name:?} is not the name of a namespace") }),
        None => Ok(()),
    }
}

/// The same list, with what is named twice in it once: two watches of one namespace would work on the same objects.
fn each_once(names: Vec<String>) -> Vec<String> {
    let mut once = Vec::with_capacity(names.len());
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

fn check_intervals(args: &RunArgs) -> Result<(), ConfigError> {
    let (any, no_zero) = (Duration::ZERO, SHORTEST_INTERVAL);
    for (flag, value, least) in [
        ("--poll-interval", args.poll_interval, no_zero),
        ("--retry-interval", args.retry_interval, no_zero),
        ("--request-timeout", args.request_timeout, no_zero),
        ("--retention", args.retention, no_zero),
        ("--backoff-base", args.backoff_base, no_zero),
        ("--ingest-delay", args.ingest_delay, any),
        ("--get-lag", args.get_lag, any),
    ] {
        let written = humantime::format_duration(value);
        if value < least {
            return Err(ConfigError { flag, problem: format!("{written} is too short; the least is 100ms") });
        }
        if value > LONGEST_DURATION {
            return Err(ConfigError { flag, problem: format!("{written} is too long; the most is 365d") });
        }
    }
    Ok(())
}

fn read_ca_bundle(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path)
        .map_err(|e| ConfigError { flag: "--ca-bundle", problem: format!("cannot read {}: {e}", path.display()) })
}

#[cfg(test)]
impl Config {
    /// The settings as shipped, but for these flags.
    pub(crate) fn of_flags(flags: &[&str]) -> Result<Self, ConfigError> {
        use clap::Parser;

        let cli = crate::cli::Cli::try_parse_from(["konnect-replay", "run"].iter().chain(flags)).unwrap();
        let crate::cli::Command::Run(args) = cli.command else { unreachable!() };
        Self::new(*args)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = Config::of_flags(&[]).unwrap();
        assert_eq!(config.policy.konnect_url.to_string(), "https://{region}.api.konghq.com");
        assert_eq!(config.policy.regions, ["us", "eu", "au", "me", "in", "sg"]);
        assert_eq!(config.policy.poll_interval, Duration::from_secs(15));
        assert_eq!(config.policy.settle_time(), Duration::from_secs(10 + 30 + 30));
        assert_eq!(config.token_prefixes, ["kpat_", "spat_"]);
        assert_eq!(format!("{:?}", config.policy), format!("{:?}", Policy::default()));
    }

    #[test]
    fn a_watch_is_renewed_each_minute_and_never_lasts_longer_than_kube_would_let_it() {
        for (flags, seconds) in
            [(&[][..], 60), (&["--request-timeout", "100ms"], 1), (&["--request-timeout", "1h"], 290)]
        {
            let config = Config::of_flags(flags).unwrap();
            assert_eq!(config.watch_seconds(), seconds, "{flags:?}");
            assert_eq!(config.call_silence().as_secs(), u64::from(seconds) + 10);
        }
    }

    #[test]
    fn what_is_named_twice_is_watched_once() {
        let config = Config::of_flags(&["--watch-namespaces", "b,a,b", "--regions", "eu,us,eu,eu"]).unwrap();
        assert_eq!(
            (config.watch_namespaces, config.policy.regions),
            (vec!["b".to_owned(), "a".to_owned()], vec!["eu".to_owned(), "us".to_owned()])
        );
    }

    #[test]
    fn a_wrong_setting_names_its_flag() {
        for (flags, flag) in [
            (&["--regions", "eu,global"][..], "--regions"),
            (&["--watch-namespaces", "Audit"], "--watch-namespaces"),
            (&["--poll-interval", "0s"], "--poll-interval"),
            (&["--poll-interval", "366d"], "--poll-interval"),
            (&["--retry-interval", "400d"], "--retry-interval"),
            (&["--request-timeout", "500000000000y"], "--request-timeout"),
            (&["--retention", "2y"], "--retention"),
            (&["--backoff-base", "13months"], "--backoff-base"),
            (&["--ingest-delay", "9000d"], "--ingest-delay"),
            (&["--get-lag", "18446744073709551615s"], "--get-lag"),
            (&["--ca-bundle", "/nowhere/ca.pem"], "--ca-bundle"),
        ] {
            assert_eq!(Config::of_flags(flags).unwrap_err().flag, flag, "{flags:?}");
        }
    }

    #[test]
    fn what_does_not_parse_is_refused_by_name() {
        for flags in
            [["--poll-interval", "soon"], ["--konnect-url", "konghq"], ["--concurrency", "0"], ["--listen", "8080"]]
        {
            let error = Cli::try_parse_from(["konnect-replay", "run"].iter().chain(&flags)).unwrap_err().to_string();
            assert!(error.contains(flags[0]), "{error}");
        }
    }
}
