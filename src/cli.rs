//! The command line: flags, each also an environment variable. Units and rules are checked in [`crate::config`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use konnect_replay_core::konnect::UrlTemplate;

/// A Kubernetes operator that has Kong Konnect send a window of audit logs again.
#[derive(Debug, Parser)]
#[command(name = "konnect-replay", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator against the cluster of the kubeconfig, or of the pod it runs in.
    Run(Box<RunArgs>),
    /// Print the `CustomResourceDefinition` as YAML.
    Crd,
    /// Print the JSON Schema of the evidence records that finished jobs leave in the log.
    EvidenceSchema,
    /// Ask a running replica's /healthz or /readyz; ends with 1 unless the answer is 200. For images without a shell.
    Probe {
        /// Where, such as <http://konnect-replay:8080/readyz>.
        url: url::Url,
    },
}

/// Settings of `run`. Durations are written like 15s, 1m30s or 168h.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where Konnect is; {region} is replaced by the region of the object. May carry a path. http:// sends tokens in the clear.
    #[arg(long, env = "KONNECT_REPLAY_KONNECT_URL", default_value = "https://{region}.api.konghq.com")]
    pub konnect_url: UrlTemplate,

    /// The regions that objects may name.
    #[arg(long, env = "KONNECT_REPLAY_REGIONS", value_delimiter = ',', default_value = "us,eu,au,me,in,sg")]
    pub regions: Vec<String>,

    /// The namespaces to watch; all if not given.
    #[arg(long, env = "KONNECT_REPLAY_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// What may have one replay at a time.
    #[arg(long, env = "KONNECT_REPLAY_SERIALIZE", value_enum, default_value = "region")]
    pub serialize: SerializeArg,

    /// How often a run is looked at.
    #[arg(long, env = "KONNECT_REPLAY_POLL_INTERVAL", value_parser = duration, default_value = "15s")]
    pub poll_interval: Duration,

    /// Spacing of slow retries: credentials, webhook, unknown portal, refused requests.
    #[arg(long, env = "KONNECT_REPLAY_RETRY_INTERVAL", value_parser = duration, default_value = "60s")]
    pub retry_interval: Duration,

    /// How long Konnect keeps events.
    #[arg(long, env = "KONNECT_REPLAY_RETENTION", value_parser = duration, default_value = "168h")]
    pub retention: Duration,

    /// How long after its end a window is sent, so that its last events have arrived at Konnect.
    #[arg(long, env = "KONNECT_REPLAY_INGEST_DELAY", value_parser = duration, default_value = "60s")]
    pub ingest_delay: Duration,

    /// How long a GET at Konnect may lag behind a PUT.
    #[arg(long, env = "KONNECT_REPLAY_GET_LAG", value_parser = duration, default_value = "30s")]
    pub get_lag: Duration,

    /// First spacing of tries after a run that Konnect reported as failed: 1, 5, 25, then 60 times this.
    #[arg(long, env = "KONNECT_REPLAY_BACKOFF_BASE", value_parser = duration, default_value = "60s")]
    pub backoff_base: Duration,

    /// How the value of a token Secret must begin; any other value never leaves the cluster.
    #[arg(long, env = "KONNECT_REPLAY_TOKEN_PREFIXES", value_delimiter = ',', default_value = "kpat_,spat_")]
    pub token_prefixes: Vec<String>,

    /// Longest duration of one call, to Konnect or to Kubernetes. A watch is renewed after twice as long.
    #[arg(long, env = "KONNECT_REPLAY_REQUEST_TIMEOUT", value_parser = duration, default_value = "30s")]
    pub request_timeout: Duration,

    /// Whether one replica works while others stand by. Without it, run one replica only.
    #[arg(long, env = "KONNECT_REPLAY_LEADER_ELECT", action = clap::ArgAction::Set, default_value_t = true)]
    pub leader_elect: bool,

    /// Namespace of the lease by which the replicas agree; the one this pod runs in if not given.
    #[arg(long, env = "KONNECT_REPLAY_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// Name of that lease.
    #[arg(long, env = "KONNECT_REPLAY_LEASE_NAME", default_value = "konnect-replay")]
    pub lease_name: String,

    /// How many objects are worked on at once.
    #[arg(long, env = "KONNECT_REPLAY_CONCURRENCY", value_parser = clap::value_parser!(u16).range(1..=1024), default_value = "16")]
    pub concurrency: u16,

    /// Where /healthz, /readyz and /metrics are served. `[::]` is every address, of IPv4 too, and of IPv4 alone where there is no IPv6.
    #[arg(long, env = "KONNECT_REPLAY_LISTEN", default_value = "[::]:8080")]
    pub listen: SocketAddr,

    /// File of PEM certificates to trust besides the system's when calling Konnect.
    #[arg(long, env = "KONNECT_REPLAY_CA_BUNDLE")]
    pub ca_bundle: Option<PathBuf>,

    /// How log lines are written. What is logged is set by `RUST_LOG`; SIGUSR1 turns debug lines on and off.
    #[arg(long, env = "KONNECT_REPLAY_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
}

/// What may have one replay at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SerializeArg {
    /// One replay per region and token Secret: never a needless 409.
    Region,
    /// One replay per portal.
    Portal,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write a duration like 15s, 1m30s or 168h"))
}
