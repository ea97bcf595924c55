//! Prints what the shipped program carries as text, made anew: `cargo run --example generate crd` and `evidence-schema`. An example, so
//! that the shipped program carries the text alone.

use std::error::Error;
use std::io::Write;

use konnect_replay::{api, evidence};

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("crd") => api::crd_yaml()?,
        Some("evidence-schema") => evidence::schema_json()?,
        _ => return Err("what is to be generated? crd, or evidence-schema".into()),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
