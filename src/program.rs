//! The whole program: parses, dispatches, and turns the outcome into an exit code: 0 done, 1 failed, 2 wrong settings.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, RunArgs};
use crate::config::Config;
use crate::metrics::Metrics;
use konnect_replay_core::api;
use konnect_replay_kubeconfig::wait_for;

use crate::replay::ReplayController;
use crate::runtime::{self, RunError};
use crate::{evidence, probe, telemetry};

/// The controllers of all kinds of object that the operator works on.
const KINDS: runtime::controller::Kinds = &[&ReplayController];

/// Runs the program with these arguments, the first of which is its name. Wrong arguments end the process with 2.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::parse_from(args).command {
        Command::Run(args) => run(*args),
        Command::Crd => print(api::CRD),
        Command::EvidenceSchema => print(evidence::SCHEMA_JSON),
        Command::Probe { url } => ask(url),
    }
}

fn ask(url: url::Url) -> ExitCode {
    match wait_for(probe::probe(url)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(1, &error),
        Err(error) => fail(1, &error),
    }
}

fn run(args: RunArgs) -> ExitCode {
    let config = match Config::new(args) {
        Ok(config) => config,
        Err(error) => return fail(2, &error),
    };
    let metrics = Metrics::new(&config);
    let verbosity = telemetry::init(config.log_format, metrics.clone());
    match wait_for(runtime::run(config, metrics, verbosity, KINDS)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // In the middle of the work, the log is the place, in its own form.
        Ok(Err(error @ RunError::LeaseLost)) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
        Ok(Err(error)) if error.is_setting() => fail(2, &error),
        Ok(Err(error)) => fail(1, &error),
        Err(error) => fail(1, &error),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let mut message = format!("konnect-replay: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(message, ": {cause}");
        source = cause.source();
    }
    // A closed standard error leaves the exit code to say it.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(code)
}
