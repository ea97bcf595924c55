//! What no HTTP server would do, done to the real binary: a front between it and the emulated Konnect that mangles connections. In
//! the end nothing is lost, there was one run, the object named the cause, and the operator has stayed small.

mod bodies;
mod front;
mod way;

/// An answer that would pass for a run under way.
pub fn job_of_somebody() -> Vec<u8> {
    let body = r#"{"status":"running","start_at":"2026-01-01T00:00:00Z","end_at":"2026-01-01T01:00:00Z"}"#;
    format!("HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into()
}
