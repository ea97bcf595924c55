//! The kubectl plugin: `kubectl replay`. All of it is in [`kubectl_replay`].

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_replay::main(std::env::args_os())
}
