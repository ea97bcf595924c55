//! The controller of `AuditLogReplayJob`: observe, decide, act, report. What to do is decided in [`konnect_replay_core::replay`]; here it
//! is done. Reading order: `controller` (what one term does), `reconcile` (one object), `pass` (one walk over it).

mod announce;
mod context;
mod controller;
mod hooks;
mod kept;
mod kind;
mod konnect;
mod log;
mod pass;
mod reconcile;
mod records;
mod rest;
mod siblings;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
mod vanished;
mod wake;

pub(crate) use controller::ReplayController;
