//! The record that each finished job leaves: what was asked, what was sent, to whom, how it ended. For auditors; a SIEM keeps it.
//!
//! One JSON object on a line of standard output, regardless of `--log-format` and `RUST_LOG`: what is evidence cannot be switched off
//! by a log level. Its form is [`Record`], printed as a JSON Schema by `konnect-replay evidence-schema`. It is made from the finished
//! object alone, so that a line that is written again says the same under the same id.

mod record;

use std::io::Write;

pub use record::{Record, SCHEMA, SCHEMA_JSON, schema_json};

use konnect_replay_core::api::AuditLogReplayJob;

/// Why a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// This process has just seen the job end.
    First,
    /// An earlier process may have ended before it wrote the line, so that it is written to be sure.
    Repeated,
}

/// Writes the record of a job; nothing for one that has not finished.
pub fn emit(job: &AuditLogReplayJob, telling: Telling) {
    let Some(record) = Record::of(job, telling == Telling::Repeated, chrono::Utc::now()) else { return };
    if let Ok(line) = serde_json::to_string(&record) {
        // One write a line: lines of other threads do not come between. Where nobody listens, nobody can be told so.
        let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
    }
}
