//! The operator's core, compiled once more for the model check: the very files of the binary, with optimisation, which the binary's
//! own tests do without (docs/decisions/0020). The model itself is in `tests/check`.

// Lints and documentation are checked where these files belong.
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../../../src/api/mod.rs"]
pub mod api;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../../../src/konnect/mod.rs"]
pub mod konnect;
#[path = "../../../src/open_enum.rs"]
mod open_enum;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../../../src/replay/mod.rs"]
pub mod replay;
