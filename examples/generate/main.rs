//! Prints what is generated: `cargo run --example generate crd` and `evidence-schema`, which the shipped program carries as text, and
//! `configuration`, a page of the documentation.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;

use clap::CommandFactory;
use konnect_replay::cli::Cli;
use konnect_replay::{api, evidence};

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("crd") => api::crd_yaml()?,
        Some("evidence-schema") => evidence::schema_json()?,
        Some("configuration") => configuration(),
        _ => return Err("what is to be generated? crd, evidence-schema or configuration".into()),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Every flag of `run`, as clap knows it.
fn configuration() -> String {
    let mut page = "# Configuration\n\nGenerated from `src/cli.rs` by `cargo run --example generate configuration`. Do not edit.\n\n\
                    Each flag of `konnect-replay run` is an environment variable too; the flag wins. Durations are written like\n\
                    `15s`, `1m30s` or `168h`. The chart's values for them are in [its README](../deploy/helm/konnect-replay/README.md).\n\n\
                    | flag | default | environment variable | |\n| --- | --- | --- | --- |\n"
        .to_owned();
    let cli = Cli::command();
    let run = cli.find_subcommand("run").into_iter().flat_map(clap::Command::get_arguments);
    for arg in run {
        let (Some(flag), Some(help)) = (arg.get_long(), arg.get_help()) else { continue };
        let default =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let variable = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let help = help.to_string().replace('|', "\\|");
        // Writing into a String cannot fail.
        let _ = writeln!(page, "| `--{flag}` | {default} | {variable} | {help} |");
    }
    page.push_str(
        "\n`HTTPS_PROXY` and `NO_PROXY` are the way to Konnect, never to the API server. `RUST_LOG` sets what is logged.\n",
    );
    page
}
