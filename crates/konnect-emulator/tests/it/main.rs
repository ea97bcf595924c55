//! The emulator over real sockets: each documented behaviour, each fault, each record.
//!
//! Tests wait for conditions, never for time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod behaviours;
mod binary;
mod control;
mod deliveries;
mod delivery_behaviours;
mod destinations;
mod faults;
mod holds;
mod limits;
mod listings;
mod replays;
mod support;
mod tls;
mod webhooks;
