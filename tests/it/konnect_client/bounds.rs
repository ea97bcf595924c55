//! Answers that are too large, malformed or cut: little is read, nothing is guessed.

use std::sync::Arc;

use konnect_replay_core::konnect::limits::MAX_TEXT_CHARS;
use konnect_replay_core::konnect::{ApiError, CallError, Certainty, RemoteStatus};
use tokio::sync::mpsc;

use super::call::{ACCEPTED, QUICK, answer, client, json, put, within};
use super::raw_server::RawServer;

const GIB: usize = 1 << 30;
/// What sockets may hold on top of what the client reads; a gibibyte is far from it.
const SOCKET_BUFFERS: usize = 128 << 20;

/// The error of a PUT whose answer is `head` and then `piece` again and again, up to a gibibyte. It comes quickly, and the
/// server could send no more than sockets hold.
async fn flooded(head: &'static str, piece: String) -> CallError {
    let piece: Arc<str> = piece.into();
    let (done, mut sent) = mpsc::unbounded_channel();
    let server = RawServer::start(move |mut connection| {
        let (piece, done) = (Arc::clone(&piece), done.clone());
        async move {
            connection.request().await;
            connection.send(head).await;
            done.send(connection.flood(piece.as_bytes(), GIB).await).unwrap();
        }
    })
    .await;
    let error = within(QUICK, put(&client(), &server.url(""))).await.unwrap_err();
    let sent = within(QUICK, sent.recv()).await.unwrap();
    assert!(sent < SOCKET_BUFFERS, "{sent} bytes were taken");
    assert_eq!(server.requests().len(), 1);
    error
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_once_on_a_success() {
    let block = "x".repeat(1 << 16);
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", block.clone()),
        ("HTTP/1.1 200 OK\r\n\r\n", block.clone()),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", format!("10000\r\n{block}\r\n")),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n".repeat(10_000)),
    ] {
        let error = flooded(head, piece).await;
        assert!(matches!(error, CallError::Unreadable { status: 200, .. }), "{head}: {error:?}");
        assert_eq!(error.certainty(), Certainty::Unknown);
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_once_on_a_refusal() {
    let error = flooded("HTTP/1.1 409 Conflict\r\ncontent-length: 1073741824\r\n\r\n", "x".repeat(1 << 16)).await;
    assert_eq!(error, CallError::Api(ApiError { status: 409, ..ApiError::default() }));
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n".repeat(10_000)),
        ("HTTP/1.1 200 OK\r\na: ", "b".repeat(1 << 16)),
        ("HTTP/1.1 200 ", "b".repeat(1 << 16)),
        ("", "\u{0}".repeat(1 << 16)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "x".repeat(1 << 16)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "a: b\r\n".repeat(10_000)),
    ] {
        let error = flooded(head, piece).await;
        assert!(matches!(error, CallError::NoAnswer(_)), "{head}: {error:?}");
    }
}

#[tokio::test]
async fn a_body_of_exactly_64_kib_is_read_and_one_byte_more_is_not() {
    let padded = |length: usize| format!("{ACCEPTED}{}", " ".repeat(length - ACCEPTED.len()));
    let chunked = |body: &str| {
        let chunk = |c: &[u8]| format!("{:x}\r\n{}\r\n", c.len(), utf8(c));
        let chunks = body.as_bytes().chunks(1000).map(chunk).collect::<Vec<_>>().concat();
        format!("HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    let (most, more) = (padded(65_536), padded(65_537));
    for text in [json(202, &most), chunked(&most), format!("HTTP/1.1 202 Accepted\r\n\r\n{most}")] {
        let server = RawServer::answering(text).await;
        assert_eq!(put(&client(), &server.url("")).await.unwrap().value.status, RemoteStatus::Accepted);
    }
    for text in [json(202, &more), chunked(&more), format!("HTTP/1.1 202 Accepted\r\n\r\n{more}")] {
        let server = RawServer::answering(text).await;
        let error = put(&client(), &server.url("")).await.unwrap_err();
        assert_eq!(error.to_string(), "Konnect answered 202, but not as documented: the answer is larger than 64 KiB");
    }
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_not_decoded() {
    // `{"status":"completed"}`, compressed: nobody asked for that, and a few bytes can hold gigabytes.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xabV*.I,)-V\xb2RJ\xce\xcf-\xc8I-IMQ\xaa\x05\x00\x16\xed\x133\x16\x00\x00\x00";
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", gzip.len());
    let server = RawServer::answering([head.as_bytes(), &gzip[..]].concat()).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    assert!(matches!(error, CallError::Unreadable { status: 200, .. }), "{error:?}");
}

#[tokio::test]
async fn bytes_that_are_no_http_are_no_answer() {
    for bytes in [
        &b"\x00\x01\x02\xff\xfe\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"HTTP/9.9 202 Accepted\r\n\r\n{}",
        b"HTTP/1.1 2O2 Accepted\r\n\r\n{}",
        b"HTTP/1.1 -202 Accepted\r\n\r\n{}",
        b"HTTP/1.1 202 Accepted\r\n\x00bad: 1\r\n\r\n{}",
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 Accepted\r\ncontent-length: -2\r\n\r\n{}",
    ] {
        let server = RawServer::answering(bytes).await;
        let error = within(QUICK, put(&client(), &server.url(""))).await.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{}: {error:?}", bytes.escape_ascii());
        assert_eq!((error.certainty(), server.requests().len()), (Certainty::Unknown, 1));
    }
}

/// Bodies whose framing breaks after `json`.
fn broken_bodies(status: u16, json: &str) -> [String; 3] {
    let head = format!("HTTP/1.1 {status} Whatever\r\n");
    [
        format!("{head}content-length: {}\r\n\r\n{json}", json.len() + 1),
        format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{json}\r\n", json.len()),
        format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{json}\r\nnonsense\r\n", json.len()),
    ]
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_a_success_open_even_if_it_parses() {
    for text in broken_bodies(202, ACCEPTED) {
        let server = RawServer::answering(text.clone()).await;
        let error = within(QUICK, put(&client(), &server.url(""))).await.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{text}: {error:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_a_refusal_as_it_is() {
    for (json, message) in [(r#"{"message":"busy"}"#, Some("busy")), (r#"{"message":"bu"#, None), ("", None)] {
        for text in broken_bodies(409, json) {
            let server = RawServer::answering(text.clone()).await;
            match within(QUICK, put(&client(), &server.url(""))).await.unwrap_err() {
                CallError::Api(ApiError { status: 409, message: m, .. }) => assert_eq!(m.as_deref(), message, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn long_texts_of_konnects_are_cut() {
    let long = "x".repeat(2000);
    let items = vec![format!(r#"{{"field":"{long}","reason":"{long}"}}"#); 10].join(",");
    let body = format!(r#"{{"detail":"{long}","instance":"{long}","invalid_parameters":[{items}]}}"#);
    let server = RawServer::answering(answer(400, "", &body)).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    let most = MAX_TEXT_CHARS + 1;
    assert_eq!(error.trace_id().unwrap().chars().count(), most);
    let CallError::Api(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.message.unwrap().chars().count(), most);
    assert_eq!(refusal.invalid_parameters.len(), 5);
    assert!(refusal.invalid_parameters.iter().all(|p| p.chars().count() == 2 * most + 2));
}
