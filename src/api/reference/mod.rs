//! docs/api.md: the reference of the object and its Events, from schema and vocabulary, so that it cannot say anything else than they do.
//! What only people know, what to do about a state, is in `advice`, one sentence for each, and the compiler asks for it.

mod advice;
mod events;
mod fields;

use std::fmt::Write as _;

use schemars::schema_for;

use super::{ConditionType, GROUP, REQUESTED_AT, Reason, VERSION, crd};
use advice::{On, advice, condition};

/// The command that writes the document, as its head and the drift test name it.
pub const COMMAND: &str = "cargo run --example api-reference > docs/api.md";

/// The whole document.
pub fn markdown() -> String {
    let mut text = format!(
        "# AuditLogReplayJob\n\n<!-- Generated from src/api and src/replay/events.rs. Do not edit; run: {COMMAND} -->\n\n\
         `{GROUP}/{VERSION}`. `kubectl explain alrj.spec` says the same of its fields at the terminal.\n\n"
    );
    text.push_str(&fields::sections(&crd()));
    text.push_str(&annotations());
    text.push_str(&conditions());
    text.push_str(&events::section());
    text.push_str(&reasons());
    text
}

fn annotations() -> String {
    format!(
        "## Annotations\n\n| annotation | |\n| --- | --- |\n| `{REQUESTED_AT}` | Any new value, such as the time, means: try now. It skips \
         one wait for the next try, and no wait that safety needs. |\n\n"
    )
}

fn conditions() -> String {
    let mut text = "## Conditions\n\nIn this order in `status.conditions`. An unfinished job that was looked at has one of `Reconciling`, \
                    `Stalled` and `Suspended`; what a finished one says does not change.\n\n| type | it holds when | what to do |\n| --- | --- | --- |\n"
        .to_owned();
    for type_ in ConditionType::ORDER {
        let (meaning, todo) = condition(&type_);
        let _ = writeln!(text, "| `{type_}` | {meaning} | {todo} |");
    }
    text.push('\n');
    text
}

fn reasons() -> String {
    let mut text = "## Reasons\n\nA reason is a stable word: alerts and scripts may match on it. The message beside it says more, and what to \
                    do in this very case.\n\n"
        .to_owned();
    for on in On::ALL {
        let _ = write!(text, "### {}\n\n| reason | meaning | what to do |\n| --- | --- | --- |\n", on.title());
        for reason in Reason::ALL.iter().filter(|reason| advice(**reason).0.contains(&on)) {
            let _ = writeln!(text, "| `{reason}` | {} | {} |", meaning(*reason), advice(*reason).1);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What the code says of a reason where it is defined.
fn meaning(reason: Reason) -> String {
    let schema = schema_for!(Reason);
    let words = schema.get("oneOf").and_then(|words| words.as_array()).cloned().unwrap_or_default();
    let word = words.iter().find(|word| word.get("const").and_then(|c| c.as_str()) == Some(reason.as_str()));
    let description = word.and_then(|word| word.get("description")).and_then(|d| d.as_str()).unwrap_or_default();
    description.replace('\n', " ")
}

#[cfg(test)]
pub(crate) use advice::is_documented;

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in the first cells of the first table under `heading` of README that has `head`.
    fn listed(head: &str) -> Vec<String> {
        let readme = include_str!("../../../README.md");
        let (_, table) = readme.split_once(&format!("{head}\n")).unwrap();
        let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.split('|').nth(1));
        let mut words: Vec<String> =
            cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
        words.sort();
        words
    }

    fn sorted(words: impl Iterator<Item = String>) -> Vec<String> {
        let mut words: Vec<String> = words.collect();
        words.sort();
        words
    }

    #[test]
    fn the_readme_lists_every_condition_and_every_status_once() {
        assert_eq!(listed("| condition | |"), sorted(ConditionType::ORDER.iter().map(ToString::to_string)));
        let states = Reason::ALL.iter().filter(|reason| advice(**reason).0.contains(&On::Ready));
        assert_eq!(listed("| STATUS | what it means |"), sorted(states.map(ToString::to_string)));
    }

    /// Defaults too: what is left out of a manifest is what the README says.
    #[test]
    fn the_readme_lists_optional_fields_of_the_spec_with_their_defaults() {
        let fields = fields::sections(&crd());
        let readme = include_str!("../../../README.md");
        let rows = readme.split_once("| spec | default | |\n").unwrap().1.lines().skip(1);
        let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() >= 6);
        for row in rows {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let defined = fields.lines().find(|line| line.starts_with(&format!("| {} |", cells[1]))).unwrap();
            assert_eq!(
                defined.split('|').nth(3).unwrap().trim().trim_matches('`'),
                cells[2].trim_matches('`'),
                "{row}"
            );
        }
    }

    #[test]
    fn every_reason_has_a_meaning_a_place_and_advice() {
        for reason in Reason::ALL {
            let (on, todo) = advice(*reason);
            assert!(!meaning(*reason).is_empty() && !on.is_empty() && !todo.is_empty(), "{reason}");
        }
    }
}
