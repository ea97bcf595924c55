//! Passes over objects of any kind: each is contained, measured, and tried again with growing spacing if it fails. What is kept of an
//! object between passes.

mod contained;
mod error;
mod keeper;

pub(crate) use contained::{LOOK_AGAIN, contained};
pub(crate) use error::{MAX_STEPS, PassError};
pub(crate) use keeper::{Entry, Keeper};
