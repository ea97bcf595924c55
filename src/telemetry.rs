//! Log lines: JSON or text, on standard output. What libraries say of their own is quiet unless `RUST_LOG` asks for it. SIGUSR1
//! turns our own debug lines on, and off again.
//!
//! Standard output, because log collectors of clouds take every line on standard error for an error. A JSON line has a `severity`
//! besides its `level`, which is the field that they read.

use std::fmt;
use std::io::IsTerminal;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::metrics::Metrics;

/// What is logged without `RUST_LOG`.
const DEFAULT_FILTER: &str =
    "info,kube=warn,kube_client=warn,kube_runtime=error,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,tower=warn";
/// Whose debug lines are turned on and off.
const OURS: &str = "konnect_replay";

/// How much is logged.
#[derive(Clone, Debug)]
pub struct Verbosity {
    base: Targets,
    change: reload::Handle<Targets, tracing_subscriber::Registry>,
}

/// Sets up logging, and has panics counted, and logged like everything else. To be called once.
pub fn init(format: LogFormat, metrics: Metrics) -> Verbosity {
    let base = filter(std::env::var("RUST_LOG").ok().as_deref());
    let (filter, change) = reload::Layer::new(base.clone());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stdout)
        // Where nobody reads the log any more the work goes on: by default a line that cannot be written is a panic.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => registry.with(lines.json().map_event_format(json)).init(),
        // Colours are for eyes: a file or a pipe gets none.
        LogFormat::Text => {
            registry.with(lines.with_target(false).with_ansi(std::io::stdout().is_terminal())).init();
        }
    }
    std::panic::set_hook(Box::new(move |panic| {
        metrics.panicked();
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panic: this is a bug, please report it");
    }));
    Verbosity { base, change }
}

/// One flat object a line. Spans are left out: those of libraries would stand in every line of a pass, and repeat what the line says.
fn json<T>(format: Format<Json, T>) -> WithSeverity<Format<Json, T>> {
    WithSeverity(format.flatten_event(true).with_current_span(false).with_span_list(false))
}

/// JSON lines that begin with a `severity`, in the words of Google Cloud Logging, which others read too.
struct WithSeverity<F>(F);

impl<S, N, T> FormatEvent<S, N> for WithSeverity<Format<Json, T>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    Format<Json, T>: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let rest = line.strip_prefix('{').ok_or(fmt::Error)?;
        write!(to, "{{\"severity\":\"{}\",{rest}", severity(*event.metadata().level()))
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// What `wish` asks for: levels, by target or for all that are not named. A wish that is none is as good as none.
fn filter(wish: Option<&str>) -> Targets {
    let wished = wish.filter(|wish| !wish.trim().is_empty()).and_then(|wish| wish.parse().ok());
    wished.unwrap_or_else(|| DEFAULT_FILTER.parse().unwrap_or_default())
}

impl Verbosity {
    /// Turns debug lines on and off with each SIGUSR1, for ever.
    pub async fn follow_signals(self) -> std::io::Result<()> {
        let mut signals = signal(SignalKind::user_defined1())?;
        let mut on = false;
        while signals.recv().await.is_some() {
            on = !on;
            let base = self.base.clone();
            if self.change.reload(if on { base.with_target(OURS, Level::DEBUG) } else { base }).is_ok() {
                tracing::info!(on, "SIGUSR1: debug lines");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished_for_is_logged_and_no_wish_means_our_own_lines() {
        let shows = |wish: Option<&str>, target: &str, level: Level| filter(wish).would_enable(target, &level);
        for wish in [None, Some(""), Some("a=b=c"), Some("info,konnect_replay=loud")] {
            assert!(shows(wish, OURS, Level::INFO) && !shows(wish, OURS, Level::DEBUG), "{wish:?}");
            assert!(!shows(wish, "kube_client::client", Level::INFO), "{wish:?}");
        }
        assert!(shows(Some("info,konnect_replay=debug"), "konnect_replay::replay::pass", Level::DEBUG));
        assert!(shows(Some("info"), "kube_client::client", Level::INFO));
        assert!(shows(Some("trace"), "h2::codec", Level::TRACE) && !shows(Some("off"), OURS, Level::ERROR));
    }

    #[test]
    fn more_debug_lines_leave_the_rest_as_it_is() {
        let on = filter(None).with_target(OURS, Level::DEBUG);
        assert!(on.would_enable("konnect_replay::runtime", &Level::DEBUG));
        assert!(!on.would_enable("kube_client::client", &Level::INFO));
    }

    #[test]
    fn a_line_has_a_severity_and_no_spans() {
        let (read, write) = std::io::pipe().unwrap();
        let lines = tracing_subscriber::fmt::layer().with_writer(std::sync::Mutex::new(write));
        let registry = tracing_subscriber::registry().with(lines.json().map_event_format(json));
        tracing::subscriber::with_default(registry, || {
            let _span = tracing::error_span!("reconciling object", object.ref = "a").entered();
            tracing::warn!(name = "a", "it waits");
        });
        let lines: Vec<String> = std::io::BufRead::lines(std::io::BufReader::new(read)).map(Result::unwrap).collect();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["severity"], &line["level"]), (&"WARNING".into(), &"WARN".into()), "{line}");
        assert_eq!((&line["name"], &line["message"]), (&"a".into(), &"it waits".into()), "{line}");
        assert!(line.get("spans").is_none() && line.get("span").is_none(), "{line}");
        let severities = [Level::ERROR, Level::INFO, Level::DEBUG, Level::TRACE].map(severity);
        assert_eq!(severities, ["ERROR", "INFO", "DEBUG", "DEBUG"]);
    }
}
