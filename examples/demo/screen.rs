//! What the reader sees: plain lines, whether or not there is a terminal.

use std::io::Write;
use std::path::Path;

use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};

use crate::cast::{Cast, NAMESPACE};

/// How much of the operator's log is shown where the demo fails.
const LAST_LINES: usize = 20;

/// One paragraph. A reader who has closed the pipe is not an error.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The head of the table.
pub(crate) fn table_head() {
    say(&format!("\n   {:>6}  {:<20} {:<13} {}", "TIME", "STATUS", "KONNECT", "MESSAGE"));
}

/// One row of the table.
pub(crate) fn table_row(seconds: f64, row: &Row) {
    say(&format!("   {seconds:>5.1}s  {:<20} {:<13} {}", row.status, row.konnect, row.message));
}

/// What an object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    status: String,
    konnect: String,
    message: String,
}

impl Row {
    /// Reads the `Ready` condition, as the print columns do.
    pub(crate) fn of(job: &AuditLogReplayJob) -> Option<Self> {
        let status = job.status.as_ref()?;
        let ready = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready)?;
        Some(Self {
            status: ready.reason.clone(),
            konnect: status.konnect.as_ref().map(|k| k.status.to_string()).unwrap_or_default(),
            message: ready.message.clone(),
        })
    }
}

/// Text moved to the right.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
}

/// For those who want to see for themselves.
pub(crate) fn how_to_look_around(cast: &Cast) {
    say(&format!(
        "\nEverything stays up until Ctrl-C. In another terminal:\n\n   export KUBECONFIG={}\n   kubectl -n {NAMESPACE} get alrj -o wide\n   \
         kubectl -n {NAMESPACE} describe alrj siem-outage\n   kubectl explain alrj.spec\n   kubectl -n {NAMESPACE} wait alrj/siem-outage \
         --for=condition=Finished\n   less {}",
        cast.kubeconfig(),
        cast.log().display()
    ));
}

/// What the operator said last: it may say why the demo failed.
pub(crate) fn end_of_log(path: &Path) {
    let log = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    say(&format!("\nThe end of the operator's log:\n\n{}", indented(&last.join("\n"))));
}
