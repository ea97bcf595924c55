//! Where Konnect is: the installer's URL template with the region filled in. Objects never name a host.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The place of the region in a template.
const REGION: &str = "{region}";

/// `--konnect-url`: a URL with `{region}` in it, or without where one host serves a single region. It may carry a path
/// (private-link hosts do), which is joined and not replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(String);

impl Default for UrlTemplate {
    /// Konnect's own hosts.
    fn default() -> Self {
        Self(format!("https://{REGION}.api.konghq.com"))
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlTemplateError {
    /// Not an absolute URL.
    #[error("{0:?} is not a URL with a host: {1}")]
    NotAUrl(String, String),
    /// Neither https nor http.
    #[error("{0:?} begins neither with https:// nor with http://")]
    WrongScheme(String),
    /// Parts that a base URL cannot have.
    #[error("{0:?} carries a user, a query or a fragment; give scheme, host and path only")]
    ExtraParts(String),
}

impl UrlTemplate {
    /// The base URL of a region, without a trailing slash. The region has been checked against the installer's list.
    pub fn base(&self, region: &str) -> String {
        self.0.replace(REGION, region)
    }

    /// Whether the region is a part of it.
    pub fn has_region(&self) -> bool {
        self.0.contains(REGION)
    }

    /// Whether the template asks for plain HTTP, which sends the token in the clear.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl FromStr for UrlTemplate {
    type Err = UrlTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A variable made from a file ends with a line break, which the parser would overlook and each call stumble over.
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(UrlTemplateError::NotAUrl(text.to_owned(), "it holds control characters".to_owned()));
        }
        let url = Url::parse(&text.replace(REGION, "xx"))
            .map_err(|e| UrlTemplateError::NotAUrl(text.to_owned(), e.to_string()))?;
        // As it is written: the parser takes `HTTP:host` too, and then plain http would go unnoticed.
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(UrlTemplateError::WrongScheme(text.to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(UrlTemplateError::ExtraParts(text.to_owned()));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_filled_in_and_a_path_is_kept() {
        for (template, base) in [
            ("https://{region}.api.konghq.com", "https://eu.api.konghq.com"),
            ("https://{region}.svc.konghq.com/api/", "https://eu.svc.konghq.com/api"),
            ("http://127.0.0.1:8080/{region}", "http://127.0.0.1:8080/eu"),
            (" https://konnect.example/{region}\n", "https://konnect.example/eu"),
        ] {
            assert_eq!(template.parse::<UrlTemplate>().unwrap().base("eu"), base);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "konghq.com",
            "ftp://x",
            "HTTP://x",
            "http:x",
            "https:\\\\x",
            "https://x\0",
            "https://x/\n/y",
            "https://u:p@x",
            "https://x/?a=b",
            "https://x/#f",
            "https://",
        ] {
            assert!(text.parse::<UrlTemplate>().is_err(), "{text:?}");
        }
    }
}
