//! Faults between the operator and Kubernetes: whatever is lost, late, refused or from the past, each window is sent once and the
//! object says in the end what it would have said without them.

mod crash;
mod crd;
mod lease;
mod refusals;
pub mod steps;
mod stopped;
mod views;
mod watches;
