//! docs/configuration.md: every flag of `konnect-replay run`, as clap knows it.

use std::fmt::Write as _;

use clap::CommandFactory;
use konnect_replay::cli::Cli;

const HEAD: &str = "\
# Configuration

Generated from `src/cli.rs` by `cargo xtask generate`. Do not edit.

Each flag of `konnect-replay run` is an environment variable too; the flag wins. Durations are written like
`15s`, `1m30s` or `168h`. The chart's values for them are in [its README](../deploy/helm/konnect-replay/README.md).

| flag | default | environment variable | |
| --- | --- | --- | --- |
";
const FOOT: &str = "
`HTTPS_PROXY` and `NO_PROXY` are the way to Konnect, never to the API server. `RUST_LOG` sets what is logged.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let cli = Cli::command();
    let run = cli.find_subcommand("run").into_iter().flat_map(clap::Command::get_arguments);
    for arg in run {
        let (Some(flag), Some(help)) = (arg.get_long(), arg.get_help()) else { continue };
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if defaults.is_empty() { String::new() } else { format!("`{}`", defaults.join(",")) };
        let variable = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let help = help.to_string().replace('|', "\\|");
        // Writing into a String cannot fail.
        let _ = writeln!(page, "| `--{flag}` | {default} | {variable} | {help} |");
    }
    page + FOOT
}
