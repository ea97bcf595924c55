//! The command line of `kubectl replay`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use serde::de::DeserializeOwned;

use super::times;
use konnect_replay_core::api::{DuplicatePolicy, ExpiryPolicy, KonnectApiVersion, WebhookPolicy};

const HEADING: &str = "Cluster";

/// Has Kong Konnect send a window of audit logs again, by way of the konnect-replay operator.
///
/// Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 not finished in time, 130 stopped waiting by Ctrl-C, 141 stopped waiting because
/// its output was closed.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-replay",
    bin_name = "kubectl replay",
    version,
    about,
    long_about,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Which cluster, as in kubectl itself.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ClusterArgs {
    /// Namespace of the objects; that of the context if not given
    #[arg(short, long, global = true, help_heading = HEADING)]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true, help_heading = HEADING)]
    pub(super) context: Option<String>,
    /// File to read instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file())]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Cluster of the kubeconfig, instead of that of the context
    #[arg(long, global = true, help_heading = HEADING, value_name = "NAME")]
    pub(super) cluster: Option<String>,
    /// User of the kubeconfig, instead of that of the context
    #[arg(long, global = true, help_heading = HEADING, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// User to act as
    #[arg(long = "as", global = true, help_heading = HEADING, value_name = "USER")]
    pub(super) impersonate: Option<String>,
    /// Group to act as; may be given several times
    #[arg(long = "as-group", global = true, help_heading = HEADING, value_name = "GROUP", requires = "impersonate")]
    pub(super) impersonate_groups: Vec<String>,
    /// How long one call to the cluster may take
    #[arg(long, global = true, help_heading = HEADING, value_name = "DURATION", value_parser = times::duration, default_value = "30s")]
    pub(super) request_timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Have a window of audit logs sent again
    Create(Box<CreateArgs>),
    /// Show the jobs in the order in which they go, what each waits for, and how long Konnect keeps its events
    List(ListArgs),
    /// Tell what became of a job, step by step
    Status(StatusArgs),
    /// Hold back a job: no further request is made for it
    Suspend {
        /// Name of the job
        name: String,
    },
    /// Let a job go on that was held back
    Resume {
        /// Name of the job
        name: String,
    },
    /// Have the window of a finished job sent again, by a new job
    Again(AgainArgs),
    /// Print a script that completes commands and names in a shell
    #[command(after_help = COMPLETION_HELP)]
    Completion {
        /// Which shell; kubectl is for `kubectl replay` in whichever shell kubectl itself completes
        shell: CompletionFor,
    },
}

impl Command {
    /// Whether it was asked to follow a job to its end.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::Create(args) => args.then.wait.wait,
            Self::Status(args) => args.wait.wait,
            Self::Again(args) => args.then.wait.wait,
            Self::List(_) | Self::Suspend { .. } | Self::Resume { .. } | Self::Completion { .. } => false,
        }
    }
}

const COMPLETION_HELP: &str = "\
For `kubectl replay`, kubectl asks a program named kubectl_complete-replay in the PATH:

  kubectl replay completion kubectl > ~/.local/bin/kubectl_complete-replay
  chmod +x ~/.local/bin/kubectl_complete-replay";

/// For whom a completion script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CompletionFor {
    /// kubectl itself, in any shell.
    Kubectl,
    /// `kubectl-replay` in bash.
    Bash,
    /// `kubectl-replay` in zsh.
    Zsh,
    /// `kubectl-replay` in fish.
    Fish,
    /// `kubectl-replay` in `PowerShell`.
    Powershell,
}

/// What to send again.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true))]
#[command(group = ArgGroup::new("begin").required(true))]
pub(super) struct CreateArgs {
    /// Name of the job; made from target and window if not given
    pub(super) name: Option<String>,
    /// Konnect region, such as eu
    #[arg(long)]
    pub(super) region: String,
    /// Id of the Dev Portal whose log is sent
    #[arg(long, value_name = "UUID", group = "target")]
    pub(super) portal: Option<String>,
    /// Send the organisation's own log
    #[arg(long, group = "target")]
    pub(super) organization: bool,
    /// Version in the path of Konnect's API; Auto finds it
    #[arg(long, value_name = "VERSION", value_parser = word::<KonnectApiVersion>(&["Auto", "v2", "v3"]), default_value = "Auto")]
    pub(super) konnect_api_version: KonnectApiVersion,

    /// The time until now: Konnect's presets, or anything up to 24h, such as 90m
    #[arg(long, value_name = "DURATION", group = "begin", value_parser = times::last)]
    pub(super) last: Option<Duration>,
    /// Start of the window, such as 2026-11-20T08:00:00Z
    #[arg(long, value_name = "TIME", group = "begin", value_parser = times::instant)]
    pub(super) from: Option<DateTime<Utc>>,
    /// End of the window, at most 7 days later; now if not given
    #[arg(long, value_name = "TIME", conflicts_with = "last", value_parser = times::instant)]
    pub(super) to: Option<DateTime<Utc>>,

    /// Secret with the Konnect token
    #[arg(long, value_name = "NAME", default_value = "konnect-token")]
    pub(super) secret: String,
    /// Key of the token in it
    #[arg(long, value_name = "KEY", default_value = "token")]
    pub(super) secret_key: String,

    /// Hold the job back until `resume`
    #[arg(long)]
    pub(super) suspend: bool,
    /// Whether to look for an enabled webhook first
    #[arg(long, value_name = "POLICY", value_parser = word::<WebhookPolicy>(&["RequireEnabled", "Ignore"]))]
    pub(super) webhook_policy: Option<WebhookPolicy>,
    /// Runs that may fail before the job is given up
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(super) backoff_limit: Option<u32>,
    /// How long Konnect may take to accept a replay
    #[arg(long, value_name = "DURATION", value_parser = times::deadline)]
    pub(super) starting_deadline: Option<u32>,
    /// How long the replay may take from then on
    #[arg(long, value_name = "DURATION", value_parser = times::deadline)]
    pub(super) active_deadline: Option<u32>,
    /// Have the job deleted so long after its end, good or bad: at least 1m; it is kept if not given
    #[arg(long, value_name = "DURATION", value_parser = times::time_to_live)]
    pub(super) ttl: Option<u32>,

    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    #[command(flatten)]
    pub(super) then: ThenArgs,
}

/// What a new job does about what was before it.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct PolicyArgs {
    /// What to do if this very window was replayed before
    #[arg(long, value_name = "POLICY", value_parser = word::<DuplicatePolicy>(&["Skip", "Replay"]))]
    pub(super) duplicate_policy: Option<DuplicatePolicy>,
    /// What to do if Konnect has begun to delete the events of the window
    #[arg(long, value_name = "POLICY", value_parser = word::<ExpiryPolicy>(&["Fail", "Clamp"]))]
    pub(super) expiry_policy: Option<ExpiryPolicy>,
}

/// What to do with a new job.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ThenArgs {
    /// Print the object, to be put into Git, and create nothing
    #[arg(short, long, value_enum, value_name = "FORMAT", conflicts_with = "wait")]
    pub(super) output: Option<Format>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// Whether and how long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct WaitArgs {
    /// Follow the job to its end
    #[arg(short, long)]
    pub(super) wait: bool,
    /// How long to follow it; the job continues all the same
    #[arg(long, value_name = "DURATION", value_parser = times::duration, default_value = "1h", requires = "wait")]
    pub(super) timeout: Duration,
}

/// How an object is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As in a manifest.
    Yaml,
    /// The same as JSON.
    Json,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ListArgs {
    /// Jobs of all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Finished jobs too
    #[arg(short, long)]
    pub(super) finished: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Name of the job
    pub(super) name: String,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(super) struct AgainArgs {
    /// Name of the finished job
    pub(super) name: String,
    /// Name of the new job; the old one's with -again if not given
    #[arg(long, value_name = "NAME")]
    pub(super) new_name: Option<String>,
    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    #[command(flatten)]
    pub(super) then: ThenArgs,
}

/// The name of a file; an empty one is none, as in kubectl.
fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A word of the API, which the API itself reads.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(serde_json::Value::String(word)))
}
