//! The core of konnect-replay: what it says to Kubernetes, what it says to Konnect, and everything it decides, without I/O.
//!
//! To know what the operator does, read [`replay`]: its [`replay::next()`] decides everything, from what was observed. [`api`] is
//! the object that users write, [`konnect`] is Konnect's audit-log API as data. This crate has no client, no runtime and no clock: its
//! manifest names none.

pub mod api;
pub mod konnect;
mod open_enum;
pub mod replay;
