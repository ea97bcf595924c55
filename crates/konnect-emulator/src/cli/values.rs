//! Values of single flags: texts in, checked values or what was expected out.

use std::time::Duration;

use chrono::TimeDelta;

use super::OrganizationSeed;

pub(super) fn organization(text: &str) -> Result<OrganizationSeed, String> {
    match text.split_once('=') {
        Some((name, token)) if !name.is_empty() && !name.contains('/') && !token.is_empty() => {
            Ok(OrganizationSeed { name: name.to_owned(), token: token.to_owned() })
        }
        _ => Err("expected NAME=TOKEN, with no slash in NAME".to_owned()),
    }
}

pub(super) fn url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    let is_http = matches!(url.scheme(), "http" | "https");
    is_http.then(|| text.to_owned()).ok_or_else(|| "expected an http or https URL".to_owned())
}

pub(super) fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    (0.0..=1000.0).contains(&factor).then_some(factor).ok_or_else(|| "expected a number from 0 to 1000".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let number: u64 = digits.parse().map_err(|_| EXPECTED_TIME.to_owned())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    milliseconds.map(Duration::from_millis).ok_or_else(|| EXPECTED_TIME.to_owned())
}

/// A time with a sign: `90s`, `+90s`, `-90s`.
pub(super) fn offset(text: &str) -> Result<TimeDelta, String> {
    let (sign, time) = match text.strip_prefix('-') {
        Some(time) => (-1, time),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let delta = TimeDelta::from_std(duration(time)?).map_err(|error| error.to_string())?;
    Ok(delta * sign)
}

const EXPECTED_TIME: &str = "expected a time such as 500ms, 2s or 1m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in [("500ms", 500), ("2s", 2000), ("1m", 60_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(expected)));
        }
        for text in ["", "2", "s", "2h", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_have_a_sign() {
        for (text, expected) in [("90s", 90), ("+90s", 90), ("-1m", -60)] {
            assert_eq!(offset(text), Ok(TimeDelta::seconds(expected)));
        }
        for text in ["", "-", "--1s", "5"] {
            assert!(offset(text).is_err(), "{text}");
        }
    }
}
