//! What differs from run to run. Taken out is this, and nothing else:
//!
//! - times, by their form (RFC 3339);
//! - in a table that has a column of ages: the ages (`12s`, `3m5s`), and how many spaces stand between the columns;
//! - in `kubectl describe`: what is behind `UID:`, `Resource Version:`, `Id:` and `Destination ID:`;
//! - spaces in and behind a label, and how many empty lines stand in a row: kubectl 1.33 writes `Konnect API Version:`, 1.37
//!   `Konnect APIVersion:`, and 1.27 fewer empty lines;
//! - spaces at the end of a line, and empty lines at the end.

use chrono::{DateTime, Utc};

/// The labels of `kubectl describe`, spaces aside, behind which something random or counted stands.
const LABELS: &[&str] = &["UID", "ResourceVersion", "Id", "DestinationID"];
/// Words of which one stands in the head of a table with ages.
const AGES: &[&str] = &["AGE", "Age", "SEEN"];

/// The lines of a text, without it.
pub fn without(text: &str) -> Vec<String> {
    let mut in_table = false;
    let line = |line: &str| {
        in_table |= line.split_whitespace().any(|word| AGES.contains(&word));
        if in_table { words(line).join(" ") } else { same_spaces(line.trim_end()) }
    };
    let mut lines: Vec<String> = text.trim_end().lines().map(line).collect();
    lines.dedup_by(|next, line| next.is_empty() && line.is_empty());
    lines
}

fn words(line: &str) -> Vec<String> {
    let word = |word| if is_age(word) { "AGE".to_owned() } else { masked(word) };
    line.split_whitespace().map(word).collect()
}

fn same_spaces(line: &str) -> String {
    let masked = |text: &str| text.split(' ').map(masked).collect::<Vec<_>>().join(" ");
    let Some((indent, label, value)) = labelled(line) else { return masked(line) };
    let value = if LABELS.contains(&label.as_str()) { "SOMETHING".to_owned() } else { masked(value) };
    format!("{indent}{label}: {value}")
}

/// `  Some Label:   its value`: the spaces before it, the label without spaces, and the value.
fn labelled(line: &str) -> Option<(&str, String, &str)> {
    let (label, value) = line.split_once(':')?;
    let words = label.trim_start();
    let is_label = words.starts_with(char::is_uppercase) && words.chars().all(|c| c.is_ascii_alphabetic() || c == ' ');
    is_label.then(|| (&label[..label.len() - words.len()], words.replace(' ', ""), value.trim_start()))
}

/// A word, unless it is a time.
fn masked(word: &str) -> String {
    let bare = word.trim_matches(['"', '(', ')', ',', '.']);
    if bare.parse::<DateTime<Utc>>().is_ok() { word.replace(bare, "TIME") } else { word.to_owned() }
}

/// `12s`, `3m5s`, `2d`: numbers, each with a unit.
fn is_age(word: &str) -> bool {
    let mut units = word.split(|c: char| c.is_ascii_digit()).filter(|unit| !unit.is_empty());
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(|c: char| c.is_ascii_alphabetic())
        && units.all(|unit| ["s", "m", "h", "d"].contains(&unit))
}
