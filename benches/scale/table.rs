//! The one table.

use std::fmt;
use std::time::Duration;

/// Figures, in the order they were measured.
#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    figure: String,
    target: String,
    measured: String,
    verdict: &'static str,
}

impl Table {
    /// A figure with a target.
    pub fn judged(
        &mut self,
        figure: impl Into<String>,
        target: impl Into<String>,
        measured: impl Into<String>,
        met: bool,
    ) {
        self.add(figure.into(), target.into(), measured.into(), if met { "met" } else { "MISSED" });
    }

    /// A figure for the record.
    pub fn noted(&mut self, figure: impl Into<String>, measured: impl Into<String>) {
        self.add(figure.into(), String::new(), measured.into(), "");
    }

    fn add(&mut self, figure: String, target: String, measured: String, verdict: &'static str) {
        eprintln!("    {figure}: {measured} {verdict}");
        self.0.push(Row { figure, target, measured, verdict });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | target | measured | |\n| --- | --- | --- | --- |")?;
        for Row { figure, target, measured, verdict } in &self.0 {
            writeln!(f, "| {figure} | {target} | {measured} | {verdict} |")?;
        }
        Ok(())
    }
}

/// Bytes for people, in units of a million.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A duration for people.
pub fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}
