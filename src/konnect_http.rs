//! The only place that talks to Konnect. One request, one answer: no redirect is followed (a token must not wander), nothing
//! is retried here (each accepted PUT sends the events again), every call ends within the timeout.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::redirect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing::warn;

use konnect_replay_core::konnect::limits::{MAX_BODY_BYTES, clean};
use konnect_replay_core::konnect::{CallError, RawAnswer, Request, Token};

/// How long a TCP and TLS connection may take at most; the whole call has `--request-timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for all regions.
#[derive(Clone, Debug)]
pub struct HttpClient(reqwest::Client);

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The CA bundle has nothing that could be used.
    #[error("--ca-bundle: {0}")]
    Bundle(String),
    /// The system's authorities cannot be read, or TLS does not work here.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

impl HttpClient {
    /// A client whose calls each end within `timeout`, trusting the system's authorities and those of `ca_bundle` (PEM).
    ///
    /// Each call makes a connection of its own: a pooled one that the other side has just closed would leave a PUT in doubt,
    /// and a call every 15 s gains nothing from a pool.
    pub fn new(timeout: Duration, ca_bundle: Option<&[u8]>) -> Result<Self, SetupError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("konnect-replay/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            // Well before the timeout: once that is over, it is not known whether the request had left.
            .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(0);
        let builder = match ca_bundle {
            Some(pem) => builder.tls_certs_merge(authorities(pem)?),
            None => builder,
        };
        builder.build().map(Self).map_err(|e| SetupError::Client(describe(&e)))
    }

    /// Sends `request` once.
    pub async fn send(&self, request: &Request, token: &Token) -> Result<RawAnswer, CallError> {
        let mut builder = self
            .0
            .request(request.method.clone(), &request.url)
            .header(AUTHORIZATION, token.header())
            .header(ACCEPT, "application/json, application/problem+json");
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = builder.send().await.map_err(|e| classify(&e))?;
        let answer = read(response).await?;
        Ok(RawAnswer { body: token.redact(&answer.body), ..answer })
    }
}

/// The certificates of a bundle that can be used. A broken certificate is left out and logged: bundles of companies have hundreds, and
/// one of them must not stop the calls that the others are for.
fn authorities(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, SetupError> {
    let mut good = Vec::new();
    for (number, read) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        match read.map_err(|e| e.to_string()).and_then(|der| authority(&der)) {
            Ok(certificate) => good.push(certificate),
            Err(problem) => warn!(number, problem, "--ca-bundle: this certificate cannot be used and is left out"),
        }
    }
    if good.is_empty() {
        return Err(SetupError::Bundle("the CA bundle holds no certificate that can be used".to_owned()));
    }
    Ok(good)
}

fn authority(der: &CertificateDer<'_>) -> Result<reqwest::Certificate, String> {
    // Asked alone, so that it is known which one is refused.
    rustls::RootCertStore::empty().add(der.clone()).map_err(|e| e.to_string())?;
    reqwest::Certificate::from_der(der).map_err(|e| describe(&e))
}

/// Reads at most [`MAX_BODY_BYTES`]. A body that breaks off after a refusal changes nothing; after a success it leaves the
/// outcome open.
async fn read(mut response: reqwest::Response) -> Result<RawAnswer, CallError> {
    let mut answer = RawAnswer {
        status: response.status().as_u16(),
        date: header(response.headers(), &DATE),
        retry_after: header(response.headers(), &RETRY_AFTER),
        ..RawAnswer::default()
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = MAX_BODY_BYTES.saturating_sub(answer.body.len());
                answer.truncated |= chunk.len() > room;
                answer.body.extend(chunk.iter().take(room));
                if answer.truncated {
                    return Ok(answer);
                }
            }
            Ok(None) => return Ok(answer),
            Err(_) if !response.status().is_success() => return Ok(answer),
            Err(error) => return Err(CallError::NoAnswer(describe(&error))),
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn classify(error: &reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() {
        CallError::NotConnected(describe(error))
    } else {
        CallError::NoAnswer(describe(error))
    }
}

/// The innermost causes say what happened ("connection refused"); the URL stays out, it is in the log line already.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the time allowed for the call was over".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = cause.to_string();
    clean(&format!("{cause}{}", about_certificate(&cause)))
}

/// What a failed handshake is most often about, for who can change the bundle or the server's certificate.
fn about_certificate(cause: &str) -> &'static str {
    if cause.contains("UnknownIssuer") {
        " (no authority that is trusted has signed the server's certificate; --ca-bundle takes the authority, not the server's own certificate)"
    } else if cause.contains("CaUsedAsEndEntity") {
        " (the server's certificate is that of an authority, CA:TRUE; the server needs one of its own, CA:FALSE, that an authority has signed)"
    } else {
        ""
    }
}
