//! The requests on the wire, byte by byte.

use konnect_replay_core::api::{ApiVersion, TimeRange};
use konnect_replay_core::konnect::{Endpoint, RemoteTarget, Request};

use super::call::{ACCEPTED, CANARY, PORTAL, client, json, portal, send, window};
use super::raw_server::RawServer;
use super::recorded::Recorded;

fn target(base_url: String, portal_id: Option<&str>, version: ApiVersion) -> RemoteTarget {
    RemoteTarget { base_url, region: "eu".into(), portal_id: portal_id.map(str::to_owned), version }
}

/// The headers of every request; anything else that a library adds is a finding.
fn headers(server: &RawServer, more: &[&str]) -> Vec<String> {
    let mut headers = vec![
        "accept: application/json, application/problem+json".to_owned(),
        format!("authorization: Bearer {CANARY}"),
        format!("host: {}", server.authority()),
        format!("user-agent: konnect-replay/{}", env!("CARGO_PKG_VERSION")),
    ];
    headers.extend(more.iter().map(|h| (*h).to_owned()));
    headers.sort();
    headers
}

#[tokio::test]
async fn a_get_is_these_bytes_for_each_endpoint_scope_and_version() {
    let server = RawServer::answering(json(200, ACCEPTED)).await;
    let client = client();
    let mut expected = Vec::new();
    for (version, v) in [(ApiVersion::V2, "v2"), (ApiVersion::V3, "v3")] {
        for (portal, scope) in [(Some(PORTAL), format!("/portals/{PORTAL}")), (None, String::new())] {
            for (endpoint, resource) in [
                (Endpoint::ReplayJob, "audit-log-replay-job"),
                (Endpoint::Webhook, "audit-log-webhook"),
                (Endpoint::WebhookStatus, "audit-log-webhook/status"),
            ] {
                let target = target(server.url("/api"), portal, version);
                send(&client, &Request::get(&target, endpoint)).await.unwrap();
                expected.push(Recorded {
                    line: format!("GET /api/{v}{scope}/{resource} HTTP/1.1"),
                    headers: headers(&server, &[]),
                    body: String::new(),
                });
            }
        }
    }
    assert_eq!(server.requests(), expected);
}

#[tokio::test]
async fn a_put_is_these_bytes_for_each_scope_and_version() {
    let server = RawServer::answering(json(202, ACCEPTED)).await;
    let client = client();
    let body = r#"{"end_at":"2026-11-20T11:30:00Z","start_at":"2026-11-20T08:00:00Z"}"#;
    let mut expected = Vec::new();
    for (version, v) in [(ApiVersion::V2, "v2"), (ApiVersion::V3, "v3")] {
        for (portal, scope) in [(Some(PORTAL), format!("/portals/{PORTAL}")), (None, String::new())] {
            let target = target(server.url(""), portal, version);
            send(&client, &Request::put_replay_job(&target, window())).await.unwrap();
            let length = format!("content-length: {}", body.len());
            expected.push(Recorded {
                line: format!("PUT /{v}{scope}/audit-log-replay-job HTTP/1.1"),
                headers: headers(&server, &["content-type: application/json", &length]),
                body: body.to_owned(),
            });
        }
    }
    assert_eq!(server.requests(), expected);
}

#[tokio::test]
async fn a_put_carries_whole_seconds_in_utc_on_the_wire() {
    let server = RawServer::answering(json(202, ACCEPTED)).await;
    let at = |text: &str| text.parse().unwrap();
    let window = TimeRange { start_at: at("2026-11-20T10:00:00.999+02:00"), end_at: at("2026-11-20T11:30:00.5Z") };
    send(&client(), &Request::put_replay_job(&portal(server.url("")), window)).await.unwrap();
    let body = &server.requests()[0].body;
    assert_eq!(body, r#"{"end_at":"2026-11-20T11:30:00Z","start_at":"2026-11-20T08:00:00Z"}"#);
}

#[tokio::test]
async fn a_cookie_is_not_kept() {
    let server =
        RawServer::answering("HTTP/1.1 200 OK\r\nset-cookie: session=1; path=/\r\ncontent-length: 2\r\n\r\n{}").await;
    let (client, target) = (client(), portal(server.url("")));
    for _ in 0..2 {
        send(&client, &Request::get(&target, Endpoint::ReplayJob)).await.unwrap();
    }
    assert_eq!(server.requests()[0], server.requests()[1]);
}
