//! The machine, and what else it does.

use std::fs;

/// One line for the record.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} cores ({}), {} GB of memory; load over 1, 5, 15 minutes: {}",
        model.unwrap_or("unknown"),
        kilobytes.unwrap_or_default() / 1_000_000,
        load.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
    )
}
