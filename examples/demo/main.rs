//! The main job in one command: `cargo run --example demo`.
//!
//! A real API server, an emulated Konnect, a receiver that stands for the SIEM, and the operator as a process of its own. The
//! receiver has an outage, events are lost, an `AuditLogReplayJob` is applied while another portal's replay is in the way, and
//! the missing events arrive. Needs Rust and Go only, and no terminal. `--keep` leaves everything up to look around.

mod cast;
mod screen;
mod story;

use std::process::ExitCode;

use cast::Cast;

/// Errors of the demo are told to a person and nobody else.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The word by which this program starts itself once more, as the operator.
const AS_OPERATOR: &str = "as-operator";

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.by_ref().nth(1).is_some_and(|arg| arg == AS_OPERATOR) {
        return konnect_replay::program::main(std::iter::once("konnect-replay".into()).chain(args));
    }
    let keep = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--keep") => true,
        Some(other) => {
            screen::say(&format!("usage: cargo run --example demo [-- --keep]; {other:?} is not known"));
            return ExitCode::from(2);
        }
    };
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(run(keep))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::say(&format!("\nThe demo failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays the story. However it ends, by Ctrl-C too, everything that was started is taken down.
async fn run(keep: bool) -> Result<()> {
    let interrupted = interrupted()?;
    let cast = tokio::select! {
        cast = Cast::assemble() => cast?,
        () = interrupted.wait() => return Err("interrupted".into()),
    };
    let outcome = tokio::select! {
        outcome = story::play(&cast) => outcome,
        () = interrupted.wait() => Err("interrupted".into()),
    };
    match &outcome {
        Ok(()) if keep => {
            screen::how_to_look_around(&cast);
            interrupted.wait().await;
        }
        Ok(()) => {}
        Err(_) => screen::end_of_log(&cast.log()),
    }
    cast.leave().await;
    screen::say("Everything was stopped, and its files removed.");
    outcome
}

/// Ctrl-C or SIGTERM, seen or yet to come.
struct Interrupted(tokio::sync::watch::Receiver<bool>);

impl Interrupted {
    async fn wait(&self) {
        // An error means that the sender is gone, which it never is while signals are listened to.
        let _ = self.0.clone().wait_for(|seen| *seen).await;
    }
}

/// Listens from now on, so that a signal ends the demo in order at any point of it.
fn interrupted() -> Result<Interrupted> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (tell, seen) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        tell.send_replace(true);
        std::future::pending::<()>().await;
    });
    Ok(Interrupted(seen))
}
