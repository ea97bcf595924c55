//! Prints docs/api.md: `cargo run --example api-reference > docs/api.md`. An example, so that the shipped program does not carry it.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(konnect_replay::api::reference::markdown().as_bytes())
}
