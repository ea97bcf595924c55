//! A request as the raw server saw it.

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Method, path and version.
    pub(crate) line: String,
    /// Headers as they were written, sorted.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Recorded {
    /// `None` while bytes are missing.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).expect("the client sends ASCII only");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut headers: Vec<String> = headers.split("\r\n").map(str::to_owned).collect();
        headers.sort();
        let length = headers.iter().find_map(|h| h.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        (body.len() >= length).then(|| Self { line: line.to_owned(), headers, body: body.to_owned() })
    }
}
