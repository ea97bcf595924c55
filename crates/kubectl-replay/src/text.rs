//! Words and tables for a terminal.

use chrono::{DateTime, TimeDelta, Utc};

use konnect_replay_core::api::{
    AuditLogReplayJob, BLOCKED_BY_OTHER, BLOCKED_EXTERNALLY, Condition, ConditionStatus, ConditionType, Target,
    WindowSpec,
};
use konnect_replay_core::konnect::time;

/// What stands where there is nothing to say.
pub(super) const NOTHING: &str = "-";

/// A duration in at most two units, as kubectl writes ages.
pub(super) fn brief(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: i64, unit: char, second: i64, smaller: char| {
        if second == 0 { format!("{first}{unit}") } else { format!("{first}{unit}{second}{smaller}") }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, 'm', seconds % 60, 's'),
        (0, _, _) => two(hours, 'h', minutes, 'm'),
        _ => two(days, 'd', hours, 'h'),
    }
}

/// From when to when, and how long that is.
pub(super) fn span(start: DateTime<Utc>, end: DateTime<Utc>) -> String {
    format!("{} to {} ({})", time::format(start), time::format(end), brief(end - start))
}

/// The instants of a window, where they are any.
pub(super) fn instants(window: &WindowSpec) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let instant = |text: &str| text.parse::<DateTime<Utc>>().ok();
    instant(&window.start_at).zip(instant(&window.end_at))
}

/// Whose log.
pub(super) fn target(target: &Target) -> String {
    let whose = target.portal_id.as_ref().map_or_else(|| "organisation".to_owned(), |id| format!("portal {id}"));
    format!("{}, {whose}", target.region)
}

/// A condition that holds or does not.
pub(super) fn condition<'a>(job: &'a AuditLogReplayJob, type_: &ConditionType) -> Option<&'a Condition> {
    job.status.as_ref()?.conditions.iter().find(|c| c.type_ == *type_)
}

/// Whether a condition is `True`.
pub(super) fn holds(job: &AuditLogReplayJob, type_: &ConditionType) -> bool {
    condition(job, type_).is_some_and(|c| c.status == ConditionStatus::True)
}

/// Whether no operator has said anything yet.
pub(super) fn is_unseen(job: &AuditLogReplayJob) -> bool {
    condition(job, &ConditionType::Ready).is_none()
}

/// The state in one word: the reason of `Ready`, as in kubectl's STATUS column.
pub(super) fn state(job: &AuditLogReplayJob) -> &str {
    condition(job, &ConditionType::Ready).map_or("Unseen", |ready| ready.reason.as_str())
}

/// The state in sentences.
pub(super) fn message(job: &AuditLogReplayJob) -> &str {
    let ready = condition(job, &ConditionType::Ready);
    ready.map_or("No operator has looked at it yet. See that konnect-replay runs and watches this namespace.", |c| {
        c.message.as_str()
    })
}

/// What the object says it waits for.
pub(super) fn blocker(job: &AuditLogReplayJob) -> Option<&str> {
    let said = job.status.as_ref()?.blocked_by.as_deref()?;
    Some(match said {
        BLOCKED_EXTERNALLY => "another party's replay at Konnect",
        BLOCKED_BY_OTHER => "a job of another namespace",
        name => name,
    })
}

/// Columns as kubectl sets them: three spaces apart, the last as it is.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m1s"),
            (3600, "1h"),
            (3601, "1h"),
            (5400, "1h30m"),
            (86_399, "23h59m"),
            (90_000, "1d1h"),
            (604_800, "7d"),
        ] {
            assert_eq!(brief(TimeDelta::seconds(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_table_is_as_wide_as_it_must_be() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        assert_eq!(table(&[row(&["NAME", "A"]), row(&["x", ""]), row(&["é-long", "b"])]), "NAME     A\nx\né-long   b");
    }
}
