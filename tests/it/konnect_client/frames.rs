//! HTTP/2 by hand, as far as a server needs it that answers one request with any frames it likes.

use tokio::io::AsyncReadExt;

use super::raw_server::Connection;
use super::recorded::Recorded;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Error codes (RFC 9113, 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
pub(crate) const HTTP_1_1_REQUIRED: u32 = 13;

/// `:status` fields that need no more than one byte of HPACK.
pub(crate) const STATUS_200: &[u8] = &[0x88];
pub(crate) const STATUS_400: &[u8] = &[0x8c];

/// A connection after its preface.
pub(crate) struct Frames(pub(crate) Connection);

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frames {
    /// Reads the client's preface and sends our settings.
    pub(crate) async fn open(mut connection: Connection) -> Self {
        let mut preface = [0; PREFACE.len()];
        connection.io.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        let mut frames = Self(connection);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Reads and records one request, its headers as they were compressed; `None` when the client closed first.
    pub(crate) async fn request(&mut self) -> Option<u32> {
        let (mut fields, mut body) = (Vec::new(), Vec::new());
        loop {
            let Frame { kind, flags, stream, payload } = self.frame().await?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                HEADERS => fields.push(format!("{payload:02x?}")),
                DATA => body.extend(payload),
                _ => {}
            }
            if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
                let body = String::from_utf8(body).unwrap();
                self.0.log.record(Recorded { line: "HTTP/2".into(), headers: fields, body });
                return Some(stream);
            }
        }
    }

    /// The beginning of an answer.
    pub(crate) async fn head(&mut self, stream: u32, status: &[u8]) {
        self.send(HEADERS, END_HEADERS, stream, status).await;
    }

    /// A part of its body.
    pub(crate) async fn data(&mut self, stream: u32, body: &str, end: bool) {
        self.send(DATA, if end { END_STREAM } else { 0 }, stream, body.as_bytes()).await;
    }

    pub(crate) async fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    /// `last` is the last stream that was or may be processed.
    pub(crate) async fn go_away(&mut self, last: u32, code: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat()).await;
    }

    /// Keeps the connection, and records what else is asked on it, until the client closes.
    pub(crate) async fn until_closed_by_client(mut self) {
        while self.request().await.is_some() {}
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.send([&head, payload].concat()).await;
    }

    async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.io.read_exact(&mut head).await.ok()?;
        let [l0, l1, l2, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap()];
        self.0.io.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
    }
}
