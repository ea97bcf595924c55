//! The model check of konnect-replay.

#[path = "../../../src/api/mod.rs"]
pub mod api;
#[path = "../../../src/konnect/mod.rs"]
pub mod konnect;
#[path = "../../../src/open_enum.rs"]
mod open_enum;
#[path = "../../../src/replay/mod.rs"]
pub mod replay;
