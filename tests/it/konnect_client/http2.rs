//! HTTP/2, whose refusals HTTP libraries like to answer with a second request of their own.

use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::konnect::{CallError, Certainty, RemoteStatus};

use super::authority::{Authority, H2};
use super::call::{ACCEPTED, AMPLE, CANARY, PORTAL, QUICK, get, put, within};
use super::frames::{
    CANCEL, ENHANCE_YOUR_CALM, Frames, HTTP_1_1_REQUIRED, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, STATUS_200,
    STATUS_400,
};
use super::raw_server::{Connection, RawServer};
use super::recorded::Recorded;

/// A server that speaks HTTP/2 only, and a client that trusts it.
async fn start<F, Fut>(script: F) -> (RawServer, HttpClient)
where
    F: Fn(Connection) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let authority = Authority::new();
    let client = HttpClient::new(AMPLE, Some(authority.pem().as_bytes())).unwrap();
    (RawServer::start_tls(authority.acceptor(H2), script).await, client)
}

/// How a server ends a request that it has read.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Close,
    Reset(u32),
    /// Last stream processed, code, and whether the connection is closed then.
    GoAway(u32, u32, bool),
}

async fn end(connection: Connection, ending: Ending) {
    let mut frames = Frames::open(connection).await;
    let Some(stream) = frames.request().await else { return };
    match ending {
        Ending::Close => return frames.0.close().await,
        Ending::Reset(code) => frames.reset(stream, code).await,
        Ending::GoAway(last, code, close) => {
            frames.go_away(last, code).await;
            if close {
                return frames.0.close().await;
            }
        }
    }
    frames.until_closed_by_client().await;
}

/// A PUT and a GET end without an answer, after one request on one connection each.
async fn assert_no_answer(server: &RawServer, client: &HttpClient, requests_each: usize, what: &str) {
    let url = server.url("");
    let calls = async { [put(client, &url).await, get(client, &url).await] };
    for call in within(QUICK, calls).await {
        let error = call.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{what}: {error:?}");
        assert_eq!(error.certainty(), Certainty::Unknown);
    }
    assert_eq!((server.connections(), server.requests().len()), (2, 2 * requests_each), "{what}");
}

#[tokio::test]
async fn the_same_request_goes_over_http2() {
    let (server, client) = start(|mut connection| async move {
        let log = connection.log.clone();
        let mut server = h2::server::handshake(&mut connection.io).await.unwrap();
        while let Some(request) = server.accept().await {
            let (request, mut respond) = request.unwrap();
            let (head, mut body) = request.into_parts();
            let field =
                |(name, value): (&http::HeaderName, &http::HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
            let mut headers: Vec<String> = head.headers.iter().map(field).collect();
            headers.sort();
            let body = body.data().await.unwrap().unwrap();
            log.record(Recorded {
                line: format!("{} {} {:?}", head.method, head.uri, head.version),
                headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
            stream.send_data(ACCEPTED.into(), true).unwrap();
        }
    })
    .await;
    let status = put(&client, &server.url("/api")).await.unwrap().value.status;
    assert_eq!(status, RemoteStatus::Accepted);
    let body = r#"{"end_at":"2026-11-20T11:30:00Z","start_at":"2026-11-20T08:00:00Z"}"#;
    let expected = Recorded {
        line: format!("PUT {}/v2/portals/{PORTAL}/audit-log-replay-job HTTP/2.0", server.url("/api")),
        headers: vec![
            "accept: application/json, application/problem+json".into(),
            format!("authorization: Bearer {CANARY}"),
            format!("content-length: {}", body.len()),
            "content-type: application/json".into(),
            format!("user-agent: konnect-replay/{}", env!("CARGO_PKG_VERSION")),
        ],
        body: body.into(),
    };
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test]
async fn a_stream_that_is_refused_or_reset_is_not_sent_again() {
    for code in [NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED] {
        let (server, client) = start(move |connection| end(connection, Ending::Reset(code))).await;
        assert_no_answer(&server, &client, 1, &format!("code {code}")).await;
    }
}

#[tokio::test]
async fn a_goaway_is_not_followed_by_a_second_request_whether_the_stream_was_processed_or_not() {
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        for ending in [Ending::GoAway(1, code, true), Ending::GoAway(0, code, true), Ending::GoAway(0, code, false)] {
            let (server, client) = start(move |connection| end(connection, ending)).await;
            assert_no_answer(&server, &client, 1, &format!("{ending:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_not_tried_again() {
    let (server, client) = start(|connection| end(connection, Ending::Close)).await;
    assert_no_answer(&server, &client, 1, "close").await;
}

#[tokio::test]
async fn a_goaway_or_an_end_before_any_request_is_not_tried_again() {
    let (server, client) = start(|connection| async move {
        let mut frames = Frames::open(connection).await;
        frames.go_away(0, NO_ERROR).await;
        frames.0.close().await;
    })
    .await;
    let url = server.url("");
    for call in within(QUICK, async { [put(&client, &url).await, get(&client, &url).await] }).await {
        assert_eq!(call.unwrap_err().certainty(), Certainty::Unknown);
    }
    assert_eq!(server.connections(), 2);

    let (server, client) = start(|connection| async move { connection.close().await }).await;
    assert_no_answer(&server, &client, 0, "no preface").await;
}

#[tokio::test]
async fn an_answer_that_follows_a_graceful_goaway_is_taken() {
    for last in [1, (1 << 31) - 1] {
        let (server, client) = start(move |connection| async move {
            let mut frames = Frames::open(connection).await;
            let stream = frames.request().await.unwrap();
            frames.go_away(last, NO_ERROR).await;
            frames.head(stream, STATUS_200).await;
            frames.data(stream, ACCEPTED, true).await;
            frames.until_closed_by_client().await;
        })
        .await;
        let call = within(QUICK, put(&client, &server.url(""))).await;
        assert_eq!(call.unwrap().value.status, RemoteStatus::Accepted);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_body_that_is_reset_leaves_a_success_open_and_a_refusal_as_it_is() {
    for (status, certainty) in [(STATUS_200, Certainty::Unknown), (STATUS_400, Certainty::NotTaken)] {
        let (server, client) = start(move |connection| async move {
            let mut frames = Frames::open(connection).await;
            let stream = frames.request().await.unwrap();
            frames.head(stream, status).await;
            frames.data(stream, ACCEPTED, false).await;
            frames.reset(stream, CANCEL).await;
            frames.until_closed_by_client().await;
        })
        .await;
        let error = within(QUICK, put(&client, &server.url(""))).await.unwrap_err();
        let refused = matches!(error, CallError::Api(_));
        assert_eq!((error.certainty(), refused), (certainty, certainty == Certainty::NotTaken), "{error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}
