//! The Konnect token. It is read from the Secret when it is needed, used, and dropped; it prints as redacted.

use std::fmt;

use http::HeaderValue;

/// What stands before the token in the header.
const SCHEME: &[u8] = b"Bearer ";

/// Shortest value that is looked for in answers. Konnect's tokens are longer; a shorter one could be a word of the API.
const MIN_REDACTED: usize = 16;

/// Longest value that is sent. Konnect's tokens are far shorter; a header of several KiB is refused on the way, which says nothing of why.
const MAX_BYTES: usize = 4096;

/// A Konnect access token, personal (`kpat_…`) or of a system account (`spat_…`).
#[derive(Clone)]
pub struct Token(HeaderValue);

/// Why a Secret's value cannot be a token. Says nothing of the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Bytes that no HTTP header can carry.
    #[error("it holds characters that an HTTP header cannot carry")]
    IllegalCharacters,
    /// Longer than any token of Konnect's.
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not one of the installer's `--token-prefixes`.
    #[error("it does not begin as a Konnect token does")]
    WrongPrefix,
}

impl Token {
    /// Reads a Secret's value. White space around it is dropped: a trailing newline is the most common mistake, and would
    /// make an illegal header. A value with none of `prefixes` never leaves the cluster; an empty list allows all.
    pub fn parse(value: &[u8], prefixes: &[String]) -> Result<Self, TokenError> {
        let value = value.trim_ascii();
        if value.is_empty() {
            return Err(TokenError::Empty);
        }
        if value.len() > MAX_BYTES {
            return Err(TokenError::TooLong);
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::IllegalCharacters);
        }
        if !prefixes.is_empty() && !prefixes.iter().any(|p| value.starts_with(p.as_bytes())) {
            return Err(TokenError::WrongPrefix);
        }
        let header = [SCHEME, value].concat();
        let mut header = HeaderValue::from_bytes(&header).map_err(|_| TokenError::IllegalCharacters)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header, marked sensitive. For the HTTP client only.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Takes the token out of an answer that repeats it, as some gateways do when they refuse one: from there it would go
    /// into a condition. JSON can write a letter as an escape, so an answer with escapes is looked at as it will be read.
    pub fn redact(&self, answer: &[u8]) -> Vec<u8> {
        let secret = self.0.as_bytes().strip_prefix(SCHEME).unwrap_or_default();
        if secret.len() < MIN_REDACTED {
            return answer.to_vec();
        }
        let plain = answer.contains(&b'\\').then(|| without_escapes(answer)).flatten();
        cut_out(secret, plain.as_deref().unwrap_or(answer))
    }
}

/// JSON with no more escapes than it needs; `None` where it is no JSON.
fn without_escapes(json: &[u8]) -> Option<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    serde_json::to_vec(&value).ok()
}

fn cut_out(secret: &[u8], answer: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(answer.len()), answer);
    while let Some(at) = rest.windows(secret.len()).position(|bytes| bytes == secret) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(b"[redacted]");
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes() -> Vec<String> {
        vec!["kpat_".into(), "spat_".into()]
    }

    #[test]
    fn white_space_around_the_value_is_dropped() {
        for value in ["kpat_abc", "kpat_abc\n", "  spat_abc\r\n"] {
            assert!(Token::parse(value.as_bytes(), &prefixes()).is_ok(), "{value:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        for (value, expected) in [
            (&b""[..], TokenError::Empty),
            (b" \n", TokenError::Empty),
            (b"kpat_a\nb", TokenError::IllegalCharacters),
            (b"kpat_\xff", TokenError::IllegalCharacters),
            (b"AKIAIOSFODNN7EXAMPLE", TokenError::WrongPrefix),
            (&[b"kpat_", &[b'a'; 4092][..]].concat(), TokenError::TooLong),
        ] {
            assert_eq!(Token::parse(value, &prefixes()).unwrap_err(), expected, "{value:?}");
        }
    }

    #[test]
    fn a_value_of_the_greatest_length_is_a_token() {
        let value = [&b" kpat_"[..], &[b'a'; 4091], b"\n"].concat();
        assert!(Token::parse(&value, &prefixes()).is_ok());
    }

    #[test]
    fn an_answer_that_repeats_it_is_redacted() {
        let token = Token::parse(b"kpat_0123456789abcdef", &prefixes()).unwrap();
        for (answer, expected) in [
            (&b"kpat_0123456789abcdef"[..], &b"[redacted]"[..]),
            (b"<kpat_0123456789abcdef\xff|kpat_0123456789abcdef>", b"<[redacted]\xff|[redacted]>"),
            (b"kpat_0123456789abcde", b"kpat_0123456789abcde"),
            (b"", b""),
            (br#"{"a":"\u006bpat_0123456789abcde\u0066 \u00e4"}"#, "{\"a\":\"[redacted] \u{e4}\"}".as_bytes()),
            (br#"{"\u006bpat_0123456789abcdef":1}"#, br#"{"[redacted]":1}"#),
            (br"\ no JSON kpat_0123456789abcdef", br"\ no JSON [redacted]"),
        ] {
            assert_eq!(token.redact(answer), expected);
        }
        let word = Token::parse(b"running", &[]).unwrap();
        assert_eq!(word.redact(b"running"), b"running");
    }

    #[test]
    fn it_prints_as_redacted() {
        let token = Token::parse(b"kpat_secret", &prefixes()).unwrap();
        assert_eq!(format!("{token:?}"), "Token(redacted)");
        assert!(!format!("{:?}", token.header()).contains("secret"));
    }
}
