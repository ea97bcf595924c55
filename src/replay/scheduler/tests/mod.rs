//! The scheduler, told as stories, and held against a list that is scanned each time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod backoff;
mod fixtures;
mod oracle;
mod queue;
mod region;
mod starvation;
