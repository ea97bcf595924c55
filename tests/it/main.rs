//! What the operator does, seen from outside: over real sockets, and against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod admission;
mod cli;
mod clocks;
mod crash;
mod credentials;
mod deletion;
mod errors;
mod events;
mod konnect_client;
mod kubernetes;
mod lifecycle;
mod policies;
mod probes;
mod protocol;
mod replicas;
mod sharing;
mod shutdown;
mod support;
mod suspend;
mod token;
mod waiting;
mod webhook;
mod windows;
mod wire;
