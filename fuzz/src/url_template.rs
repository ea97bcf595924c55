//! Any `--konnect-url`: what is accepted gives, for each region, a URL to which a path can be joined, over http or https only, with
//! no credentials in it, and with the host that the installer wrote.

use konnect_replay_core::konnect::UrlTemplate;
use url::Url;

/// Reads `data` as a template.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(template) = text.parse::<UrlTemplate>() else { return };
    // Whether a label in Punycode is one depends on the region in it. No installer has such a host, and a call to it fails.
    if text.to_ascii_lowercase().contains("xn--") {
        return;
    }
    for region in ["eu", "us", "zz"] {
        let url = format!("{}/v2/audit-log-replay-job", template.base(region));
        let parsed = Url::parse(&url).unwrap_or_else(|e| panic!("{text:?} was accepted and gives {url:?}: {e}"));
        assert!(matches!(parsed.scheme(), "http" | "https"), "{url}");
        assert_eq!(parsed.scheme() == "http", template.is_plain_http(), "plain http goes unnoticed: {text:?}");
        assert!(parsed.username().is_empty() && parsed.password().is_none(), "{url}");
        assert!(parsed.query().is_none() && parsed.fragment().is_none(), "{url}");
        assert!(parsed.path().ends_with("/v2/audit-log-replay-job"), "{url}");
        let expected = Url::parse(&text.replace("{region}", region)).ok();
        assert_eq!(parsed.host(), expected.as_ref().and_then(Url::host), "{text:?}");
    }
}
