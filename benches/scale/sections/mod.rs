//! The parts that can be run alone.

pub mod core;
pub mod faults;
pub mod idle;
pub mod lanes;
pub mod latency;
pub mod memory;
pub mod queue;
pub mod size;
pub mod start;
pub mod takeover;
