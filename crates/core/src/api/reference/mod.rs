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
pub const COMMAND: &str = "cargo xtask generate";

/// The whole document.
pub fn markdown() -> String {
    let mut text = format!(
        "# AuditLogReplayJob\n\n<!-- Generated from crates/core/src/api and crates/core/src/replay/report/events.rs. Do not edit; run: {COMMAND} -->\n\n\
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

    #[test]
    fn every_reason_has_a_meaning_a_place_and_advice() {
        for reason in Reason::ALL {
            let (on, todo) = advice(*reason);
            assert!(!meaning(*reason).is_empty() && !on.is_empty() && !todo.is_empty(), "{reason}");
        }
    }
}
