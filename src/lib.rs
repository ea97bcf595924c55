//! konnect-replay: a Kubernetes operator that has Kong Konnect send a window of audit logs again.
//!
//! What it decides, and the words it says to Kubernetes and to Konnect, are in [`konnect_replay_core`]: to know what the operator does,
//! read [`konnect_replay_core::replay`]. Here it is done: `replay` is the controller of `AuditLogReplayJob`, `runtime` is what every kind
//! of object shares, and [`konnect_http`] is the one way to Konnect.

pub mod cli;
pub mod config;
pub mod evidence;
pub mod konnect_http;
pub mod metrics;
mod probe;
pub mod program;
mod replay;
mod runtime;
pub mod telemetry;
