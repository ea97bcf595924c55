//! The model check: the core that the binary runs, explored state by state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)] // a program of tests has no reader of its documentation but its source's

mod actions;
mod cluster;
mod fair;
mod flaw;
mod interner;
mod judge;
mod konnect;
mod layout;
mod model;
mod process;
mod time;
mod world;

mod flaws;
mod holds;
mod trace;
mod worlds;
