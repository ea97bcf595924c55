//! The kubectl plugin: `kubectl replay`. All of it is in the library: see [`konnect_replay::plugin`].

use std::process::ExitCode;

fn main() -> ExitCode {
    konnect_replay::plugin::main(std::env::args_os())
}
