//! `kubectl replay`: makes `AuditLogReplayJob`s from a terminal, follows them, and says in which order they go.
//!
//! It only writes and reads objects, with the rights of whoever runs it. It never calls Konnect and never reads a token; the
//! operator does both.

mod again;
mod change;
mod cli;
mod cluster;
mod completion;
mod create;
mod error;
mod list;
mod queue;
mod status;
mod text;
mod timeline;
mod times;
mod wait;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use cluster::Cluster;
use error::PluginError;

use konnect_replay_kubeconfig::wait_for;

/// How a command ended that did not fail to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done, and a job that was waited for has completed.
    Done,
    /// A job that was waited for has failed.
    Failed,
    /// A job that was waited for has not finished in time.
    TimedOut,
    /// Ctrl-C while waiting.
    Interrupted,
}

impl Outcome {
    /// 2 is for wrong arguments, here as in the operator.
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::TimedOut => 3,
            Self::Interrupted => 130,
        }
    }
}

/// What a shell reports of a program whose output was closed (128 + SIGPIPE).
const UNREAD: u8 = 141;

/// Runs the plugin with these arguments, the first of which is its name. Wrong arguments end the process with 2.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let (outcome, waits) = if let Some(words) = completion::words(&args) {
        (wait_for(completion::candidates(words)), false)
    } else {
        let cli = Cli::parse_from(args);
        let waits = cli.command.waits();
        (wait_for(run(cli)), waits)
    };
    match outcome.map_err(PluginError::Io).flatten() {
        Ok(outcome) => ExitCode::from(outcome.code()),
        // With `--wait` the code says how the job ended; here that is not known.
        Err(error) if error.is_closed_pipe() => ExitCode::from(if waits { UNREAD } else { 0 }),
        Err(error) => fail(&error),
    }
}

async fn run(cli: Cli) -> Result<Outcome, PluginError> {
    let cluster = Cluster::new(&cli.cluster);
    match cli.command {
        Command::Create(args) => create::run(&cluster, &args).await,
        Command::List(args) => list::run(&cluster, &args).await,
        Command::Status(args) => status::run(&cluster, &args).await,
        Command::Suspend { name } => change::suspend(&cluster, &name).await,
        Command::Resume { name } => change::resume(&cluster, &name).await,
        Command::Again(args) => again::run(&cluster, &args).await,
        Command::Completion { shell } => completion::script(shell),
    }
}

/// One line or more on standard output.
fn say(text: &str) -> Result<(), PluginError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(PluginError::Io)
}

/// A remark that must not stand between the lines of an object: on standard error. If that is closed, nobody wants remarks.
fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn fail(error: &PluginError) -> ExitCode {
    remark(&format!("kubectl-replay: {error}"));
    ExitCode::from(error.code())
}
