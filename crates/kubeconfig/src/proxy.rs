//! Which proxy leads to the API server: the rules of Go's `net/http`, which kubectl follows.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use super::Error;

/// What the environment says of proxies. An empty variable is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// `HTTPS_PROXY` or `https_proxy`.
    https: Option<String>,
    /// `HTTP_PROXY` or `http_proxy`.
    http: Option<String>,
    /// `NO_PROXY` or `no_proxy`.
    no: Option<String>,
}

impl Environment {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]),
            http: first(["HTTP_PROXY", "http_proxy"]),
            no: first(["NO_PROXY", "no_proxy"]),
        }
    }
}

/// The proxy for `server`: that of the kubeconfig, also if `NO_PROXY` names the server; else that of the environment, unless the
/// server is this machine or `NO_PROXY` names it.
pub(super) fn of(named: Option<&str>, server: &Uri, environment: &Environment) -> Result<Option<Uri>, Error> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return parse(named).map(Some);
    }
    let is_http = server.scheme_str() == Some("http");
    let of_scheme = if is_http { &environment.http } else { &environment.https };
    let port = server.port_u16().unwrap_or(if is_http { 80 } else { 443 });
    let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let excepted = is_this_machine(&host) || is_excepted(&host, port, environment.no.as_deref().unwrap_or_default());
    of_scheme.as_deref().filter(|_| !excepted).map(parse).transpose()
}

/// An address without a scheme is one of an HTTP proxy.
fn parse(text: &str) -> Result<Uri, Error> {
    let wrong = || Error::Proxy(without_password(text));
    let text = match text.split_once("://") {
        Some(("socks5h", rest)) => format!("socks5://{rest}"),
        Some(("http" | "https" | "socks5", _)) => text.to_owned(),
        Some(_) => return Err(wrong()),
        None => format!("http://{text}"),
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    if uri.host().is_none_or(str::is_empty) { Err(wrong()) } else { Ok(uri) }
}

/// What may be shown of an address.
fn without_password(text: &str) -> String {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned()
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an entry of `NO_PROXY` names `host`: an address, a network, a domain and what is below it, or `*`; with a port or without.
fn is_excepted(host: &str, port: u16, no_proxy: &str) -> bool {
    let entries = no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase());
    entries.filter(|entry| !entry.is_empty()).any(|entry| names(&entry, host, port))
}

fn names(entry: &str, host: &str, port: u16) -> bool {
    let address = host.parse::<IpAddr>().ok();
    if entry == "*" {
        return true;
    }
    if let Ok(network) = entry.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, of_port) = split_port(entry);
    if of_port.is_some_and(|of_port| of_port != port.to_string()) {
        return false;
    }
    if let Ok(named) = name.parse::<IpAddr>() {
        return address == Some(named);
    }
    // `.test` is what is below test; `*.test` is the same; `test` is that and test itself.
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    let domain = name.strip_prefix('.').unwrap_or(name);
    let below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    below || (host == domain && !name.starts_with('.'))
}

/// The host of an entry, without brackets, and its port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match entry.rsplit_once(':') {
        // More than one colon: an IPv6 address.
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        Some(_) | None => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(server: &str, https: &str, no: &str) -> Option<String> {
        let environment = Environment {
            https: Some(https.to_owned()),
            http: Some("http://plain:1".to_owned()),
            no: Some(no.to_owned()),
        };
        of(None, &server.parse().unwrap(), &environment).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn no_proxy_is_about_the_server_and_not_about_the_proxy() {
        let is_used = |server: &str, no: &str| proxy(server, "http://127.0.0.2:3128", no).is_some();
        let (by_address, by_name) = ("https://10.99.0.1:6443", "https://api.apiserver.test");
        for no in ["10.99.0.1", "10.0.0.0/8", "*", "10.99.0.1,", "a,,10.99.0.1", " 10.99.0.1 ", "10.99.0.1:6443"] {
            assert!(!is_used(by_address, no), "{no:?}");
        }
        for no in ["", ",", "127.0.0.2", "127.0.0.0/8", "10.99.0.10", "11.0.0.0/8", "10.99.0.1:443", "apiserver.test"] {
            assert!(is_used(by_address, no), "{no:?}");
        }
        for no in [
            "apiserver.test",
            ".apiserver.test",
            "*.apiserver.test",
            "Api.Apiserver.TEST",
            "test",
            "apiserver.test:443",
        ] {
            assert!(!is_used(by_name, no), "{no:?}");
        }
        for no in ["server.test", ".api.apiserver.test", "apiserver.test:6443", "10.0.0.0/8"] {
            assert!(is_used(by_name, no), "{no:?}");
        }
        for no in ["2001:db8::1", "[2001:db8::1]", "2001:db8::/32", "[2001:db8::1]:6443"] {
            assert!(!is_used("https://[2001:db8::1]:6443", no), "{no:?}");
        }
    }

    #[test]
    fn this_machine_is_never_asked_by_way_of_a_proxy() {
        for server in ["https://127.0.0.1:6443", "https://127.8.0.1", "https://localhost:1", "https://[::1]:6443"] {
            assert_eq!(proxy(server, "http://proxy:3128", ""), None, "{server}");
        }
        assert!(proxy("https://localhost.example", "http://proxy:3128", "").is_some());
    }

    #[test]
    fn the_proxy_of_the_kubeconfig_is_used_whatever_the_environment_says() {
        let environment = Environment { no: Some("*".to_owned()), ..Environment::default() };
        let server = "https://127.0.0.1:6443".parse().unwrap();
        let proxy = of(Some("http://127.0.0.2:3128"), &server, &environment).unwrap();
        assert_eq!(proxy.unwrap().to_string(), "http://127.0.0.2:3128/");
    }

    #[test]
    fn addresses_are_read_as_kubectl_reads_them() {
        let server = "https://10.0.0.1";
        for (written, read) in [
            ("127.0.0.2:3128", "http://127.0.0.2:3128/"),
            ("https://proxy:3128", "https://proxy:3128/"),
            ("socks5://proxy:1080", "socks5://proxy:1080/"),
            ("socks5h://proxy:1080", "socks5://proxy:1080/"),
        ] {
            assert_eq!(proxy(server, written, "").as_deref(), Some(read), "{written}");
        }
        assert_eq!(proxy("http://10.0.0.1", "", "").as_deref(), Some("http://plain:1/"));
        for wrong in ["ftp://user:secret@proxy", "http://", "http://user:secret@", "a b"] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
