//! konnect-replay: a Kubernetes operator that has Kong Konnect send a window of audit logs again.
//!
//! To know what the operator does, read [`replay`]: its [`replay::next`] decides everything, from what was observed. [`api`]
//! is the object that users write, [`konnect`] speaks to Konnect, [`controller`] connects the three to a cluster. [`plugin`] is
//! the other program, `kubectl replay`, which only writes and reads those objects.

pub mod api;
pub mod cli;
pub mod config;
pub mod controller;
pub mod evidence;
pub mod konnect;
mod kubeconfig;
pub mod leader;
pub mod metrics;
mod open_enum;
pub mod plugin;
mod probe;
pub mod program;
pub mod replay;
pub mod server;
pub mod telemetry;
