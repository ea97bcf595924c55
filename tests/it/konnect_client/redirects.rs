//! A redirect is an answer like any other: the token does not follow it.

use std::io::ErrorKind;
use std::net::TcpListener;

use konnect_replay_core::konnect::Certainty;

use super::call::{ACCEPTED, answer, client, get, put};
use super::raw_server::RawServer;

#[tokio::test]
async fn no_redirect_is_followed_and_the_other_server_sees_nothing() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let elsewhere = other.local_addr().unwrap();
    let client = client();
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for location in [format!("http://{elsewhere}/v2/x"), format!("//{elsewhere}/v2/x")] {
            let headers = format!("location: {location}\r\n");
            let server = RawServer::answering(answer(status, &headers, ACCEPTED)).await;
            for call in [put(&client, &server.url("")).await, get(&client, &server.url("")).await] {
                let error = call.unwrap_err();
                assert_eq!((error.status(), error.certainty()), (Some(status), Certainty::Unknown));
            }
            assert_eq!(server.requests().len(), 2, "{status}");
        }
    }
    // A connection made during a call would wait in the backlog.
    assert_eq!(other.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_redirect_to_the_same_host_or_to_nowhere_is_not_followed_either() {
    let client = client();
    for headers in ["location: /login\r\n", "location: http://[:::/\r\n", "location: \u{fc}\r\n", "location:\r\n", ""] {
        let server = RawServer::answering(answer(307, headers, "")).await;
        let error = put(&client, &server.url("")).await.unwrap_err();
        assert_eq!((error.status(), server.requests().len()), (Some(307), 1), "{headers:?}: {error:?}");
    }
}
