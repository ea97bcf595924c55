//! Times as Konnect writes them. Unset times come as `0001-01-01T00:00:0Z`, which is not valid RFC 3339; a time that says
//! nothing must not make the whole answer unreadable.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

/// Reads a time leniently: `None` for a zero or an unreadable time, and for a time that has no year of four digits in UTC: a status could
/// not keep that.
pub fn parse_lenient(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text.trim()).ok()?.with_timezone(&Utc);
    (2..=9999).contains(&time.year()).then_some(time)
}

/// Writes a time as Konnect documents it: UTC with `Z`, whole seconds.
pub fn format(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_unreadable_times_mean_unset() {
        for text in [
            "0001-01-01T00:00:0Z",
            "0001-01-01T00:00:00Z",
            "",
            "never",
            "2026-13-01T00:00:00Z",
            "1763800000",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(parse_lenient(text), None, "{text:?}");
        }
    }

    #[test]
    fn offsets_and_fractions_are_read() {
        for (text, expected) in [
            ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
            (" 2026-11-20T08:00:00.999Z ", "2026-11-20T08:00:00Z"),
        ] {
            assert_eq!(parse_lenient(text).map(format).as_deref(), Some(expected), "{text:?}");
        }
    }
}
