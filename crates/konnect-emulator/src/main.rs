//! The binary: settings, start, seed, and a clean end on SIGTERM or SIGINT.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use konnect_emulator::cli::{Arguments, Settings};
use konnect_emulator::{Emulator, Receiver, ReceiverOptions};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::new(Arguments::parse()).unwrap_or_else(|error| error.exit());
    let wished = std::env::var("RUST_LOG").ok().and_then(|wish| wish.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let filter = wished.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    tracing_subscriber::registry().with(filter).with(lines).init();
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    // Before anything is announced: who reads the announcement may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let emulator = Emulator::start(settings.options.clone()).await?;
    let receiver = match settings.receiver {
        Some(listen) => Some(Receiver::start(ReceiverOptions { listen, jwks: Some(emulator.jwks()) }).await?),
        None => None,
    };
    settings.seed(&emulator, receiver.as_ref().map(Receiver::url).as_deref())?;
    if let (Some(path), Some(pem)) = (&settings.ca_file, emulator.ca_pem()) {
        std::fs::write(path, pem).map_err(|error| format!("--ca-file {}: {error}", path.display()))?;
    }
    announce(&emulator)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    emulator.stop().await;
    Ok(())
}

/// Standard output holds the URLs and nothing else, for scripts; the log is on standard error.
fn announce(emulator: &Emulator) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "konnect_url={}", emulator.url_template())?;
    if let Some(url) = emulator.control_url() {
        writeln!(out, "control_url={url}")?;
    }
    out.flush()
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
