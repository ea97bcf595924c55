//! The core, told as stories: an object, a scripted Konnect, and time that passes only when a test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_imports)] // the builders of `fixtures` are the vocabulary of every story
#![allow(clippy::unchecked_time_subtraction)] // a test that subtracts wrongly fails, as it should

mod answer_to_put;
mod any;
mod change;
mod combined;
mod deadlines;
mod driver;
mod duplicates;
mod echo;
mod events;
mod evidence;
mod fixtures;
mod follow;
mod get_finds;
mod held_back;
mod invariants;
mod konnect;
mod leftovers;
mod limits;
mod memory;
mod over;
mod prepare;
mod purity;
mod queued;
mod reasons;
mod report;
mod requested;
mod story;
mod time_to_live;
mod version;
mod walk;
mod window;
