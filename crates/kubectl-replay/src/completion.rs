//! Completion: scripts for the shells, and answers for kubectl, which asks a program named `kubectl_complete-replay` what may come
//! next and expects one candidate a line and a directive at the end, as cobra has it.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Arg, Command, CommandFactory, Parser};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use kube::api::ListParams;

use super::cli::{Cli, ClusterArgs, CompletionFor};
use super::cluster::Cluster;
use super::error::PluginError;
use super::{Outcome, say};

/// Our own name, which is also what kubectl looks for.
const BINARY: &str = "kubectl-replay";
/// What kubectl runs to complete `kubectl replay`.
const FOR_KUBECTL: &str = "#!/bin/sh\n# Completes `kubectl replay`: kubectl runs this if it is in the PATH as kubectl_complete-replay.\n\
                           exec kubectl-replay __complete \"$@\"";
/// cobra's directive for "these are all, no files".
const NO_FILES: &str = ":4";
/// Nobody waits longer for a name, unless `--request-timeout` says so.
const PATIENCE: Duration = Duration::from_secs(3);
/// More names are of no help.
const MANY: u32 = 500;

/// Prints a script.
pub(super) fn script(shell: CompletionFor) -> Result<Outcome, PluginError> {
    let shell = match shell {
        CompletionFor::Kubectl => {
            say(FOR_KUBECTL)?;
            return Ok(Outcome::Done);
        }
        CompletionFor::Bash => Shell::Bash,
        CompletionFor::Zsh => Shell::Zsh,
        CompletionFor::Fish => Shell::Fish,
        CompletionFor::Powershell => Shell::PowerShell,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), BINARY, &mut text);
    say(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Outcome::Done)
}

/// What was typed so far, if that is what we are asked for. No command of its own: nobody types it, no script is to offer it.
pub(super) fn words(args: &[OsString]) -> Option<&[OsString]> {
    match args {
        [_, asked, words @ ..] if asked == "__complete" => Some(words),
        _ => None,
    }
}

/// Prints what the last of `words` may become.
pub(super) async fn candidates(words: &[OsString]) -> Result<Outcome, PluginError> {
    let names = if wants_a_name(words) { names(words).await } else { Vec::new() };
    // Flags only for who begins one, as kubectl has it.
    let flags = words.last().is_some_and(|word| word.to_string_lossy().starts_with('-'));
    let args: Vec<OsString> = std::iter::once(OsString::from(BINARY)).chain(words.iter().cloned()).collect();
    let last = args.len().saturating_sub(1);
    let found = complete(&mut with_names(&names), args, last, None)?;
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        if value.starts_with('-') && !flags {
            continue;
        }
        match candidate.get_help() {
            Some(help) => say(&format!("{value}\t{}", help.to_string().lines().next().unwrap_or_default()))?,
            None => say(&value)?,
        }
    }
    say(NO_FILES)?;
    Ok(Outcome::Done)
}

/// The commands whose first word is the name of a job.
const NAMING: [&str; 4] = ["status", "suspend", "resume", "again"];

fn wants_a_name(words: &[OsString]) -> bool {
    words.iter().any(|word| NAMING.iter().any(|name| word == OsStr::new(name)))
}

/// The command line, with `names` where a job is named.
fn with_names(names: &[String]) -> Command {
    NAMING.iter().fold(Cli::command(), |command, verb| {
        let names = names.to_vec();
        command.mut_subcommand(verb, |verb| verb.mut_arg("name", |arg: Arg| arg.add(completer(names))))
    })
}

fn completer(names: Vec<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let begun = current.to_string_lossy();
        let fitting = names.iter().filter(|name| name.starts_with(&*begun));
        fitting.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// Names of jobs, if the cluster is quick to tell: no completion is better than a terminal that hangs, or an error in it. A program that
/// logs in has no longer than that either, and no terminal.
async fn names(words: &[OsString]) -> Vec<String> {
    let args = cluster_args(words);
    let patience = if words.iter().any(|word| word == "--request-timeout") { args.request_timeout } else { PATIENCE };
    let listed = tokio::time::timeout(patience, list(&Cluster::silent(&args))).await;
    listed.ok().and_then(Result::ok).unwrap_or_default()
}

async fn list(cluster: &Cluster) -> Result<Vec<String>, PluginError> {
    let connection = cluster.connect().await?;
    let jobs = connection.jobs();
    let found = connection.call(jobs.list_metadata(&ListParams::default().limit(MANY))).await?;
    Ok(found.items.into_iter().filter_map(|job| job.metadata.name).collect())
}

/// What was typed so far of which cluster is meant, however unfinished the rest is.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, ignore_errors = true, disable_help_flag = true)]
struct Typed {
    #[command(flatten)]
    cluster: ClusterArgs,
    rest: Vec<OsString>,
}

fn cluster_args(words: &[OsString]) -> ClusterArgs {
    let typed = Typed::try_parse_from(words);
    typed.map_or_else(|_| ClusterArgs::default(), |typed| typed.cluster)
}
