//! Every call ends within its time, wherever the other side falls silent.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use futures::future::join_all;
use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::konnect::{CallError, Certainty};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use super::authority::{Authority, H2};
use super::call::{ACCEPTED, get, put, within};
use super::frames::{Frames, STATUS_200};
use super::raw_server::{Connection, RawServer};

/// The timeout under test.
const TIMEOUT: Duration = Duration::from_secs(2);
/// What a busy machine may need on top.
const SLACK: Duration = Duration::from_secs(30);

fn impatient(authority: Option<&Authority>) -> HttpClient {
    HttpClient::new(TIMEOUT, authority.map(Authority::pem).as_deref().map(str::as_bytes)).unwrap()
}

/// The error of a PUT; a GET at the same time ends as it does, and neither too early nor too late.
async fn error(client: &HttpClient, url: &str) -> CallError {
    let begin = Instant::now();
    let calls = async { tokio::join!(put(client, url), get(client, url)) };
    let (put, get) = within(TIMEOUT + SLACK, calls).await;
    assert!(begin.elapsed() >= TIMEOUT / 3, "given up after {:?}", begin.elapsed());
    let error = put.unwrap_err();
    assert_eq!(error, get.unwrap_err());
    error
}

fn assert_no_answer(error: &CallError) {
    assert_eq!(*error, CallError::NoAnswer("the time allowed for the call was over".into()));
    assert_eq!(error.certainty(), Certainty::Unknown);
}

fn assert_not_connected(error: &CallError) {
    assert_eq!(*error, CallError::NotConnected("the time allowed for the call was over".into()));
    assert_eq!(error.certainty(), Certainty::NotTaken);
}

/// Reads the request, sends `bytes`, and then nothing.
async fn silent_after(bytes: String) -> RawServer {
    RawServer::start(move |mut connection| {
        let bytes = bytes.clone();
        async move {
            connection.request().await;
            connection.send(bytes).await;
            connection.until_closed_by_client().await;
        }
    })
    .await
}

#[tokio::test]
async fn silence_after_the_request_at_any_point_of_the_answer_ends_in_time_with_an_unknown_outcome() {
    let head = "HTTP/1.1 202 Accepted\r\n";
    let answers = [
        String::new(),
        "HTTP/1.1 20".into(),
        head.into(),
        format!("{head}content-length: 500\r\n\r\n"),
        format!("{head}content-length: 500\r\n\r\n{ACCEPTED}"),
        format!("{head}transfer-encoding: chunked\r\n\r\n5\r\n{{\"sta"),
        format!("{head}\r\n{ACCEPTED}"),
        "HTTP/1.1 100 Continue\r\n\r\n".into(),
    ];
    let client = impatient(None);
    join_all(answers.map(async |bytes| {
        let server = silent_after(bytes.clone()).await;
        assert_no_answer(&error(&client, &server.url("")).await);
        assert_eq!((server.connections(), server.requests().len()), (2, 2), "{bytes}");
    }))
    .await;
}

#[tokio::test]
async fn a_refusal_whose_body_never_ends_is_still_that_refusal() {
    for (status, certainty) in [(409, Certainty::NotTaken), (503, Certainty::Unknown)] {
        let text =
            format!("HTTP/1.1 {status} No\r\ncontent-length: 500\r\nretry-after: 7\r\n\r\n{{\"message\":\"busy\"}}");
        let server = silent_after(text).await;
        let error = error(&impatient(None), &server.url("")).await;
        assert_eq!((error.status(), error.certainty()), (Some(status), certainty));
        let CallError::Api(refusal) = error else { panic!("{error:?}") };
        assert_eq!(refusal.message.as_deref(), Some("busy"));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
    }
}

/// Sends one piece again and again, slowly enough for no read to time out.
async fn trickle(mut connection: Connection, head: &str, piece: &str) {
    connection.request().await;
    connection.send(head).await;
    while connection.send(piece).await {
        tokio::time::sleep(TIMEOUT / 10).await;
    }
}

#[tokio::test]
async fn an_answer_that_trickles_ends_in_time() {
    let client = impatient(None);
    let answers = [
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 500\r\n\r\n", " "),
        ("HTTP/1.1 202 Accepted\r\n", "a: b\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ];
    join_all(answers.map(async |(head, piece)| {
        let server = RawServer::start(move |connection| trickle(connection, head, piece)).await;
        assert_no_answer(&error(&client, &server.url("")).await);
    }))
    .await;
}

#[tokio::test]
async fn a_tls_handshake_that_is_never_answered_is_certainly_not_taken() {
    let server = RawServer::start(|mut connection| async move { connection.until_closed_by_client().await }).await;
    let url = server.url("").replace("http:", "https:");
    assert_not_connected(&error(&impatient(None), &url).await);
}

#[tokio::test]
async fn a_request_that_is_never_read_is_an_unknown_outcome() {
    let server = RawServer::start(|connection| async move {
        std::future::pending::<()>().await;
        drop(connection);
    })
    .await;
    assert_no_answer(&error(&impatient(None), &server.url("")).await);
}

#[tokio::test]
async fn http2_that_falls_silent_ends_in_time_with_an_unknown_outcome() {
    let authority = Authority::new();
    let client = impatient(Some(&authority));
    let no_settings = |mut connection: Connection| async move {
        drop(connection.io.read_u8().await);
        connection.until_closed_by_client().await;
    };
    let server = RawServer::start_tls(authority.acceptor(H2), no_settings).await;
    assert_no_answer(&error(&client, &server.url("")).await);

    for answered in [false, true] {
        let server = RawServer::start_tls(authority.acceptor(H2), move |connection| async move {
            let mut frames = Frames::open(connection).await;
            let stream = frames.request().await.unwrap();
            if answered {
                frames.head(stream, STATUS_200).await;
                frames.data(stream, "{", false).await;
            }
            frames.until_closed_by_client().await;
        })
        .await;
        assert_no_answer(&error(&client, &server.url("")).await);
        assert_eq!((server.connections(), server.requests().len()), (2, 2));
    }
}

/// Connections that fill the backlog of a listener which accepts none.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        held.push(stream);
        assert!(held.len() < 1000, "the backlog has no end");
    }
    held
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_is_certainly_not_taken() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let held = fill(address);
    for scheme in ["http", "https"] {
        assert_not_connected(&error(&impatient(None), &format!("{scheme}://{address}")).await);
    }
    drop((held, listener));
}
