//! What must not get out: the token, whatever the other side does with it, and what a terminal would obey.

use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::konnect::{Endpoint, Request, Token, read_webhook, read_webhook_status};
use tracing::Dispatch;

use super::authority::{Authority, H2, HTTP_1};
use super::call::{
    ACCEPTED, AMPLE, CANARY, assert_discreet, assert_no_token, client, json, now, portal, put, send, token, window,
};
use super::frames::{Frames, STATUS_200};
use super::raw_server::RawServer;
use crate::support::Lines;

#[tokio::test]
async fn a_token_that_the_other_side_repeats_is_not_repeated_by_us() {
    let client = client();
    for body in [
        format!(r#"{{"detail":"token {CANARY} has expired"}}"#),
        format!(r#"{{"title":"{CANARY}","instance":"{CANARY}"}}"#),
        format!(r#"{{"message":"Authorization: Bearer {CANARY}"}}"#),
        format!(r#"{{"detail":"x","invalid_parameters":[{{"field":"{CANARY}","reason":"{CANARY}{CANARY}"}}]}}"#),
        format!(r#"{{"status":"{CANARY}"}}"#),
        format!("<html>{CANARY}</html>"),
        format!("{CANARY}: {}", "x".repeat(100_000)),
    ] {
        for status in [200, 400, 401, 502] {
            let server = RawServer::answering(json(status, &body)).await;
            drop(put(&client, &server.url("")).await);
            assert_eq!(server.requests().len(), 1);
        }
    }
    let body =
        format!(r#"{{"endpoint":"{CANARY}","audit_log_destination_id":"{CANARY}","webhook_status":"{CANARY}"}}"#);
    let server = RawServer::answering(json(200, &body)).await;
    let answer = send(&client, &Request::get(&portal(server.url("")), Endpoint::Webhook)).await.unwrap();
    assert_discreet(&read_webhook(&answer, now()));
    assert_discreet(&read_webhook_status(&answer, now()));
}

#[tokio::test]
async fn what_is_left_of_a_refusal_that_repeats_the_token_is_still_read() {
    let server = RawServer::answering(json(401, &format!(r#"{{"message":"{CANARY} has expired"}}"#))).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    assert_eq!(error.to_string(), "Konnect answered 401: [redacted] has expired");
}

#[tokio::test]
async fn a_token_in_garbage_or_in_a_url_that_fails_is_not_shown() {
    for garbage in [format!("{CANARY}\r\n\r\n"), format!("HTTP/1.1 200 {CANARY}\r\ncontent-length: {CANARY}\r\n\r\n")] {
        let server = RawServer::answering(garbage).await;
        put(&client(), &server.url("")).await.unwrap_err();
    }
}

#[test]
fn nothing_that_holds_the_token_prints_it() {
    assert_no_token(&format!("{:?} {:#?}", token(), token()));
    assert_no_token(&format!("{:?}", client()));
    assert_no_token(&format!("{:?}", Request::put_replay_job(&portal("https://x".into()), window())));
    let prefixes = ["kpat_".to_owned()];
    for value in [format!("{CANARY}\n{CANARY}"), format!("x{CANARY}"), format!("{CANARY}\u{e9}")] {
        assert_discreet(&Token::parse(value.as_bytes(), &prefixes));
    }
}

#[tokio::test]
async fn control_characters_of_the_other_side_reach_no_text() {
    // As JSON escapes: C0, DEL, C1, line and paragraph separators, and what turns the direction of writing.
    let nasty = r"a\u0000\u0007\u001b[2J\r\n\t\u007f\u0085\u009b31m\u2028\u2029\u202e\u2066\u200fb";
    let body = format!(
        r#"{{"detail":"{nasty}","instance":"{nasty}","invalid_parameters":[{{"field":"{nasty}","reason":"{nasty}"}}]}}"#
    );
    let server = RawServer::answering(json(400, &body)).await;
    let error = put(&client(), &server.url("")).await.unwrap_err();
    assert_eq!(error.trace_id(), Some("a [2J 31m b"));
    assert_eq!(error.to_string(), "Konnect answered 400: a [2J 31m b; a [2J 31m b: a [2J 31m b");
}

/// The libraries below trace each frame, and compression keeps what it has seen; neither may hold the token.
#[tokio::test]
async fn no_log_line_and_no_compression_table_of_a_library_holds_the_token() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).finish();
    // While there is one subscriber only, tracing asks each thread for its own, and the threads of other tests have none: a
    // line that they reach first would be switched off for all.
    let second = Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let logging = tracing::subscriber::set_default(subscriber);

    let authority = Authority::new();
    let client = HttpClient::new(AMPLE, Some(authority.pem().as_bytes())).unwrap();
    let plain = RawServer::answering(json(202, ACCEPTED)).await;
    let http1 = RawServer::answering_tls(authority.acceptor(HTTP_1), json(202, ACCEPTED)).await;
    let http2 = RawServer::start_tls(authority.acceptor(H2), |connection| async move {
        let mut frames = Frames::open(connection).await;
        let stream = frames.request().await.unwrap();
        frames.head(stream, STATUS_200).await;
        frames.data(stream, ACCEPTED, true).await;
        frames.until_closed_by_client().await;
    })
    .await;
    for server in [&plain, &http1, &http2] {
        put(&client, &server.url("")).await.unwrap();
    }
    // `authorization`, never to be indexed by anybody on the way (RFC 7541, 6.2.3 and 7.1.3).
    let fields = &http2.requests()[0].headers[0];
    assert!(fields.contains("1f, 08"), "{fields}");

    drop((logging, second));
    let text = lines.text();
    assert!(text.contains("h2::"), "HTTP/2 was not traced: {text}");
    assert_no_token(&text);
}
