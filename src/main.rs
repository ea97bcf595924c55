//! The binary. All of it is in the library: see [`konnect_replay::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    konnect_replay::program::main(std::env::args_os())
}
