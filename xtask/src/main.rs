//! Chores of the project. `cargo xtask generate` writes every file that is made from the code, `--check` compares them.

mod configuration;
mod decisions;
mod generate;

use std::process::ExitCode;

use clap::Parser;

/// Chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Writes the files that are made from the code: the CRD and its copies, the references, the index of decisions. What needs
    /// kubectl, deploy/install.yaml, is written by tests/chart/install-yaml.
    Generate {
        /// Writes nothing; names the files that are out of date, and fails if there are any.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let Task::Generate { check } = Task::parse();
    match generate::run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed standard error leaves the exit code to say it.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("cargo xtask: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
