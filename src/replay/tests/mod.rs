//! The core, told as stories: an object, a scripted Konnect, and time that passes only when a test says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_imports)] // the builders of `fixtures` are the vocabulary of every story
#![allow(clippy::unchecked_time_subtraction)] // a test that subtracts wrongly fails, as it should

mod driver;
mod fixtures;
mod invariants;
mod konnect;
mod story;

mod answer_to_put;
mod any;
mod change;
mod deadlines;
mod duplicates;
mod echo;
mod events;
mod evidence;
mod follow;
mod get_finds;
mod held_back;
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
mod review;
mod time_to_live;
mod version;
mod walk;
mod window;
