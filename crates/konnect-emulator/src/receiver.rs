//! A SIEM stand-in: an HTTP endpoint that takes deliveries, checks signatures and removes duplicates.
//!
//! It keeps what it took in memory, and can be out of order on demand. It is not an emulation of any one product.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::emulator::reachable;
use crate::event::ParsedLine;
use crate::serve::{Cut, serve};
use crate::signing::PublicKeys;
use crate::{Error, wait};

/// How a receiver starts.
#[derive(Debug, Clone)]
pub struct ReceiverOptions {
    /// Address to listen on. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Public keys to check signatures with, as `Emulator::jwks` answers them; none leaves them unchecked.
    pub jwks: Option<Value>,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), jwks: None }
    }
}

/// What a receiver does instead of taking deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Answers this status, such as 503, and takes nothing.
    Answer(u16),
    /// Answers 429 with `Retry-After` of so many seconds, and takes nothing.
    ComeAgain(u64),
    /// Closes every connection without a word.
    Refuse,
}

/// Whether a line's signature fits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Made by one of the keys over this very line.
    Valid,
    /// Made by another key, or over another line.
    Invalid,
    /// The line has none.
    Absent,
    /// There were no keys to check with.
    Unchecked,
}

/// One event, as it first arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The line, without its newline.
    pub line: String,
    /// Identifies the event at the emulator too.
    pub trace_id: String,
    /// Time of the event, in milliseconds, as text.
    pub rt: String,
    /// Whether the signature fits.
    pub signature: SignatureCheck,
    /// The header `Content-Encoding` of its batch; empty where there was none.
    pub content_encoding: String,
}

/// A running receiver. It ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    inner: Arc<Inner>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    keys: Option<PublicKeys>,
    kept: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    outage: Option<Outage>,
    events: Vec<ReceivedEvent>,
    seen: HashMap<String, u64>,
    unreadable: usize,
}

impl Receiver {
    /// Starts listening. When this returns, deliveries are taken.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start(options: ReceiverOptions) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let inner = Arc::new(Inner {
            keys: options.jwks.as_ref().map(PublicKeys::from_jwks),
            kept: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let router = Router::new().fallback(take).layer(DefaultBodyLimit::disable()).with_state(inner.clone());
        let task = tokio::spawn(serve(listener, None, router));
        Ok(Self { inner, address, task })
    }

    /// Where to send events.
    pub fn url(&self) -> String {
        format!("http://{}/audit-logs", reachable(self.address))
    }

    /// The events taken, each once, in the order they first arrived.
    pub fn events(&self) -> Vec<ReceivedEvent> {
        self.inner.kept().events.clone()
    }

    /// How many lines repeated an event that was there already: same `sig`, else the same line.
    pub fn duplicates(&self) -> u64 {
        self.inner.kept().seen.values().map(|count| count - 1).sum()
    }

    /// How many lines were no audit events.
    pub fn unreadable(&self) -> usize {
        self.inner.kept().unreadable
    }

    /// Begins an outage, or with none ends it.
    pub fn set_outage(&self, outage: impl Into<Option<Outage>>) {
        self.inner.kept().outage = outage.into();
        self.inner.changed();
    }

    /// A receiver of changes: every delivery is one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Looks now and after each change until `look` finds something.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it did not within `limit`.
    pub async fn wait_for<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Result<T, Error> {
        wait::wait_for(self.changes(), limit, || look(self)).await
    }

    /// Waits until at least `count` different events have arrived.
    ///
    /// # Errors
    /// [`Error::Timeout`] when they did not within `limit`.
    pub async fn wait_for_events(&self, count: usize, limit: Duration) -> Result<Vec<ReceivedEvent>, Error> {
        self.wait_for(limit, |receiver| Some(receiver.events()).filter(|events| events.len() >= count)).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn keep(&self, text: &str, encoding: &str) {
        let now = Utc::now();
        let read = |line: &str| ParsedLine::parse(line).map(|parsed| (line.to_owned(), parsed));
        let mut kept = self.kept();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match read(line) {
                Some((line, parsed)) => kept.keep(self.received(line, &parsed, (now, encoding)), &parsed),
                None => kept.unreadable += 1,
            }
        }
        drop(kept);
        self.changed();
    }

    fn received(&self, line: String, parsed: &ParsedLine, (at, encoding): (DateTime<Utc>, &str)) -> ReceivedEvent {
        let signature = match (&self.keys, &parsed.sig) {
            (None, _) => SignatureCheck::Unchecked,
            (Some(_), None) => SignatureCheck::Absent,
            (Some(keys), Some(sig)) if keys.verify(&parsed.signed_part(&line), sig) => SignatureCheck::Valid,
            (Some(_), Some(_)) => SignatureCheck::Invalid,
        };
        let (trace_id, rt) = (parsed.trace_id.clone(), parsed.rt.clone());
        ReceivedEvent { at, line, trace_id, rt, signature, content_encoding: encoding.to_owned() }
    }
}

impl Kept {
    fn keep(&mut self, event: ReceivedEvent, parsed: &ParsedLine) {
        // One request makes several events with one trace id, some in the same millisecond: these are no key.
        let key = parsed.sig.clone().unwrap_or_else(|| event.line.clone());
        let count = self.seen.entry(key).or_default();
        *count += 1;
        if *count == 1 {
            self.events.push(event);
        }
    }
}

async fn take(
    State(inner): State<Arc<Inner>>,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outage = inner.kept().outage;
    let encoding = headers.get("content-encoding").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match outage {
        Some(Outage::Refuse) => cut.connection().await,
        Some(Outage::Answer(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE).into_response()
        }
        Some(Outage::ComeAgain(seconds)) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
        }
        None => match decode(encoding, &body) {
            Ok(text) => {
                inner.keep(&text, encoding);
                StatusCode::OK.into_response()
            }
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        },
    }
}

fn decode(encoding: &str, body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    if encoding.ends_with("gzip") {
        GzDecoder::new(body).read_to_string(&mut text)?;
    } else {
        (&mut &*body).read_to_string(&mut text)?;
    }
    Ok(text)
}
