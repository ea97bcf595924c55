//! The core, told as stories: an object, a scripted Konnect, and time that passes only when a test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fixtures;
mod invariants;
mod konnect;
mod story;

mod answer_to_put;
mod follow;
mod get_finds;
