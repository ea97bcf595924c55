//! Log lines: JSON or text, on standard error. What libraries say of their own is quiet unless `RUST_LOG` asks for it. SIGUSR1
//! turns our own debug lines on, and off again.

use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::metrics::Metrics;

/// What is logged without `RUST_LOG`.
const DEFAULT_FILTER: &str =
    "info,kube=warn,kube_client=warn,kube_runtime=error,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tower=warn";
/// What is logged besides while debug lines are on.
const DEBUG: &str = "konnect_replay=debug";

/// How much is logged.
#[derive(Clone, Debug)]
pub struct Verbosity {
    base: String,
    change: reload::Handle<EnvFilter, tracing_subscriber::Registry>,
}

/// Sets up logging, and has panics counted, and logged like everything else. To be called once.
pub fn init(format: LogFormat, metrics: Metrics) -> Verbosity {
    let base = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|wish| EnvFilter::try_new(wish).is_ok());
    let base = base.unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let (filter, change) = reload::Layer::new(EnvFilter::new(&base));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // Where nobody reads the log any more the work goes on: by default a line that cannot be written is a panic.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).init(),
        // Colours are for eyes: a file or a pipe gets none.
        LogFormat::Text => {
            registry.with(lines.with_target(false).with_ansi(std::io::stderr().is_terminal())).init();
        }
    }
    std::panic::set_hook(Box::new(move |panic| {
        metrics.panicked();
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panic: this is a bug, please report it");
    }));
    Verbosity { base, change }
}

impl Verbosity {
    /// Turns debug lines on and off with each SIGUSR1, for ever.
    pub async fn follow_signals(self) -> std::io::Result<()> {
        let mut signals = signal(SignalKind::user_defined1())?;
        let mut on = false;
        while signals.recv().await.is_some() {
            on = !on;
            let filter = if on { format!("{},{DEBUG}", self.base) } else { self.base.clone() };
            if self.change.reload(EnvFilter::new(filter)).is_ok() {
                tracing::info!(on, "SIGUSR1: debug lines");
            }
        }
        Ok(())
    }
}
