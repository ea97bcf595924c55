//! Log lines: JSON or text, on standard error. What libraries say of their own is quiet unless `RUST_LOG` asks for it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// What is logged without `RUST_LOG`.
const DEFAULT_FILTER: &str =
    "info,kube=warn,kube_client=warn,kube_runtime=error,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tower=warn";

/// Sets up logging, and has panics logged like everything else. To be called once.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
        // Colours are for eyes: a file or a pipe gets none.
        LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panic: this is a bug, please report it");
    }));
}
