//! Connections that are never made, or end too early: one call is one request at most, and the error says whether it may
//! have arrived.

use std::net::TcpListener;

use futures::future::join_all;
use konnect_replay_core::konnect::{CallError, Certainty};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::call::{ACCEPTED, QUICK, client, get, json, put, within};
use super::raw_server::{Connection, RawServer};

/// A PUT and a GET of one client; both end without an answer, on one connection each.
async fn assert_no_answer(server: &RawServer, requests_each: usize) {
    let client = client();
    let url = server.url("");
    let calls = async { [put(&client, &url).await, get(&client, &url).await] };
    for (made, call) in within(QUICK, calls).await.into_iter().enumerate() {
        let error = call.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "call {made}: {error:?}");
        assert_eq!(error.certainty(), Certainty::Unknown);
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 2 * requests_each));
}

async fn assert_not_connected(url: &str) {
    let client = client();
    let calls = async { [put(&client, url).await, get(&client, url).await] };
    for call in within(2 * QUICK, calls).await {
        let error = call.unwrap_err();
        assert!(matches!(error, CallError::NotConnected(_)), "{url}: {error:?}");
        assert_eq!(error.certainty(), Certainty::NotTaken);
    }
}

#[tokio::test]
async fn a_connection_closed_right_after_the_request_is_not_tried_again() {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await;
        connection.close().await;
    })
    .await;
    assert_no_answer(&server, 1).await;
}

#[tokio::test]
async fn a_connection_reset_in_the_middle_of_the_request_is_not_tried_again() {
    let server = RawServer::start(|mut connection| async move {
        // Closing with unread bytes resets the connection.
        drop(connection.io.read_u8().await);
    })
    .await;
    assert_no_answer(&server, 0).await;
}

#[tokio::test]
async fn a_connection_closed_before_anything_was_read_is_not_tried_again() {
    for _ in 0..20 {
        let server = RawServer::start(|connection| async move { drop(connection) }).await;
        assert_no_answer(&server, 0).await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_its_head_is_no_answer() {
    for part in ["H", "HTTP/1.1 202", "HTTP/1.1 202 Accepted\r\ncontent-le"] {
        let server = RawServer::answering(part).await;
        assert_no_answer(&server, 1).await;
    }
}

#[tokio::test]
async fn a_408_is_an_unknown_outcome_and_not_tried_again() {
    let server = RawServer::answering(format!("{}{}", json(408, ""), json(202, ACCEPTED))).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    assert_eq!((error.status(), error.certainty()), (Some(408), Certainty::Unknown));
    assert_eq!((server.connections(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn an_answer_sent_before_the_request_was_read_is_an_unknown_outcome() {
    // Some gateways say so when they close an idle connection.
    let early = json(408, "");
    for _ in 0..20 {
        let early = early.clone();
        let server = RawServer::start(move |mut connection| {
            let early = early.clone();
            async move {
                connection.send(early).await;
                connection.close().await;
            }
        })
        .await;
        let error = within(QUICK, put(&client(), &server.url(""))).await.unwrap_err();
        assert_eq!((error.certainty(), server.connections()), (Certainty::Unknown, 1), "{error:?}");
    }
}

#[tokio::test]
async fn a_kept_alive_connection_that_was_closed_since_loses_no_call() {
    let server = RawServer::answering(json(202, ACCEPTED)).await;
    let client = client();
    for call in 1..=20 {
        put(&client, &server.url("")).await.unwrap();
        assert_eq!((server.connections(), server.requests().len()), (call, call));
    }
}

#[tokio::test]
async fn a_connection_that_the_server_keeps_open_is_closed_by_the_client() {
    let (closed, mut saw) = mpsc::unbounded_channel();
    let server = RawServer::start(move |mut connection: Connection| {
        let closed = closed.clone();
        async move {
            connection.request().await;
            connection.send(json(202, ACCEPTED)).await;
            connection.until_closed_by_client().await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let client = client();
    for call in 1..=3 {
        put(&client, &server.url("")).await.unwrap();
        within(QUICK, saw.recv()).await.unwrap();
        assert_eq!(server.connections(), call);
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_one_request_each() {
    let server = RawServer::answering(json(202, ACCEPTED)).await;
    let (client, url) = (client(), server.url(""));
    let calls = join_all((0..8).map(|_| put(&client, &url))).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    assert_eq!((server.connections(), server.requests().len()), (8, 8));
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_not_connected(&format!("http://{address}")).await;
    assert_not_connected(&format!("https://{address}")).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_certainly_not_taken() {
    assert_not_connected("https://eu.konnect.invalid").await;
}

#[tokio::test]
async fn a_url_that_cannot_be_called_is_certainly_not_taken() {
    for url in ["", "eu.api.konghq.com", "https://", "https://eu api", "ftp://127.0.0.1", "https://[::"] {
        assert_not_connected(url).await;
    }
}
