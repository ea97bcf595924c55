//! Bounds on what is taken from the outside.

/// Largest answer that is read, in bytes. Real ones are below 1 KiB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Longest text of Konnect's that enters a message, in characters.
pub const MAX_TEXT_CHARS: usize = 512;

/// Makes foreign text fit for a condition, an event or a log line: one line, no control characters, bounded.
pub fn clean(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() || turns_writing(c) { ' ' } else { c });
    let mut out: String = printable.take(MAX_TEXT_CHARS).collect();
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        out.push('…');
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a character changes the direction of writing (Unicode's `Bidi_Control`): with one, a line reads differently
/// from what it says.
fn turns_writing(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(clean("a\r\n\u{1b}[31mred\0  b"), "a [31mred b");
        assert_eq!(clean("a\u{202e}b\u{2066}\u{200f}c"), "a b c");
        assert_eq!(clean(&"x".repeat(2000)).chars().count(), MAX_TEXT_CHARS + 1);
    }
}
