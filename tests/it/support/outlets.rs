//! Wherever the operator says something: no token may show there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What must show nowhere. Every token of the tests has it.
pub const CANARY: &str = "canary";

/// [`CANARY`] as it looks within base64, which is how a Secret holds it, at each of the three places where it can begin.
const ENCODED: [&str; 3] = ["Y2FuYXJ5", "NhbmFye", "jYW5hcn"];

/// How long a probe may take to answer a process that is about to be killed. A stopped one never does.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// Whether a text holds a token of the tests, plain or as base64.
pub fn shows_a_token(text: &str) -> bool {
    text.contains(CANARY) || ENCODED.iter().any(|form| text.contains(form))
}

/// What anybody on the machine or in the cluster can ask of a running operator: each endpoint's answer, head and body, and the
/// command line and environment of its process. What a process that has ended or is stopped does not answer is left out.
pub fn outlets(pid: u32, listens: Option<SocketAddr>) -> Vec<(String, String)> {
    let of_process = ["cmdline", "environ"].map(|file| format!("/proc/{pid}/{file}"));
    let texts = of_process.into_iter().filter_map(|path| {
        let bytes = std::fs::read(&path).ok()?;
        Some((path, String::from_utf8_lossy(&bytes).into_owned()))
    });
    let endpoints = ["/metrics", "/healthz", "/readyz", "/"].into_iter();
    let answers = listens
        .into_iter()
        .flat_map(|at| endpoints.clone().map_while(move |path| Some((path.to_owned(), get(at, path)?))));
    texts.chain(answers).collect()
}

fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&at, PROBE_PATIENCE).ok()?;
    stream.set_read_timeout(Some(PROBE_PATIENCE)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
