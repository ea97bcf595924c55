//! The glue to a cluster: watch, observe, decide, act, report. What to do is decided in [`konnect_replay_core::replay`]; here it is done.

mod actions;
mod announce;
mod arrivals;
mod context;
mod error;
mod events;
mod listed;
mod log;
mod memory;
mod pass;
mod permit;
mod reconcile;
mod replayed;
mod run;
mod secret;
mod siblings;
mod slim;
mod status_patch;
mod stores;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
mod vanished;
mod wake;
mod work;

pub use run::{RunError, run};
