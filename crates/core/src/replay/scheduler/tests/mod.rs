//! The scheduler, told as stories, and held against a list that is scanned each time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::unchecked_time_subtraction)] // a test that subtracts wrongly fails, as it should

mod backoff;
mod fixtures;
mod oracle;
mod queue;
mod region;
mod starvation;
mod tenants;
