//! Whom the client trusts. Without trust nothing is sent, and the error says so.

use std::sync::Arc;

use konnect_replay::konnect_http::HttpClient;
use konnect_replay_core::konnect::{CallError, Certainty, RemoteStatus};
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncReadExt;

use super::authority::{Authority, H2, HTTP_1, certificate, certificate_of_years};
use super::call::{ACCEPTED, AMPLE, QUICK, assert_discreet, client, json, put, within};
use super::raw_server::RawServer;

fn trusting(authority: &Authority) -> HttpClient {
    HttpClient::new(AMPLE, Some(authority.pem().as_bytes())).unwrap()
}

async fn not_connected(client: &HttpClient, server: &RawServer) -> String {
    let error = within(QUICK, put(client, &server.url(""))).await.unwrap_err();
    assert_eq!(error.certainty(), Certainty::NotTaken);
    assert!(server.requests().is_empty());
    match error {
        CallError::NotConnected(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_private_ca_works_when_it_is_in_the_bundle() {
    let authority = Authority::new();
    let bundle = format!("# comment\n{}\n{}", Authority::new().pem(), authority.pem());
    let client = HttpClient::new(AMPLE, Some(bundle.as_bytes())).unwrap();
    for versions in [&[&TLS12], &[&TLS13]] {
        for protocols in [HTTP_1, &[]] {
            let acceptor = authority.serve(&certificate("127.0.0.1"), protocols, versions);
            let server = RawServer::answering_tls(acceptor, json(202, ACCEPTED)).await;
            let job = put(&client, &server.url("")).await.unwrap();
            assert_eq!((job.value.status, server.requests().len()), (RemoteStatus::Accepted, 1));
        }
    }
}

#[tokio::test]
async fn a_broken_certificate_in_the_bundle_does_not_stop_the_others() {
    let authority = Authority::new();
    let section = |inner: &str| format!("-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----\n");
    for broken in [section("bm8gY2VydGlmaWNhdGU="), section("%%%%"), section("")] {
        let bundle = format!("{}{broken}{}", Authority::new().pem(), authority.pem());
        let client = HttpClient::new(AMPLE, Some(bundle.as_bytes())).unwrap();
        let server = RawServer::answering_tls(authority.acceptor(HTTP_1), json(202, ACCEPTED)).await;
        assert_eq!(put(&client, &server.url("")).await.unwrap().value.status, RemoteStatus::Accepted, "{broken}");
        let error = HttpClient::new(AMPLE, Some(broken.as_bytes())).unwrap_err();
        assert!(error.to_string().starts_with("--ca-bundle: "), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_ca_is_not_talked_to() {
    let authority = Authority::new();
    for (client, protocols) in [(client(), H2), (client(), HTTP_1), (trusting(&Authority::new()), HTTP_1)] {
        let server = RawServer::answering_tls(authority.acceptor(protocols), json(202, ACCEPTED)).await;
        let why = not_connected(&client, &server).await;
        assert!(why.contains("UnknownIssuer") && why.contains("takes the authority"), "{why}");
    }
}

/// As `openssl req -x509` makes it, and a bundle has it: curl is content with that.
#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_refused_in_words() {
    let mut params = certificate("127.0.0.1");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = Authority::new();
    let acceptor = authority.serve(&params, HTTP_1, rustls::ALL_VERSIONS);
    let server = RawServer::answering_tls(acceptor, json(202, ACCEPTED)).await;
    let why = not_connected(&trusting(&authority), &server).await;
    assert!(why.contains("CaUsedAsEndEntity") && why.contains("CA:FALSE"), "{why}");
}

#[tokio::test]
async fn a_certificate_that_is_out_of_date_or_of_another_name_is_not_talked_to() {
    let authority = Authority::new();
    let client = trusting(&authority);
    let cases: [(CertificateParams, &str); 3] = [
        (certificate_of_years("127.0.0.1", 2019, 2020), "expired"),
        (certificate_of_years("127.0.0.1", 2100, 2200), "not valid yet"),
        (certificate("konnect.example"), "not valid for name"),
    ];
    for (params, expected) in cases {
        let acceptor = authority.serve(&params, HTTP_1, rustls::ALL_VERSIONS);
        let server = RawServer::answering_tls(acceptor, json(202, ACCEPTED)).await;
        let why = not_connected(&client, &server).await;
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_certainly_not_taken() {
    let server = RawServer::start(|mut connection| async move {
        drop(connection.io.read_u8().await);
        connection.send(json(400, "")).await;
        connection.close().await;
    })
    .await;
    let url = server.url("").replace("http:", "https:");
    let error = within(QUICK, put(&client(), &url)).await.unwrap_err();
    assert!(matches!(error, CallError::NotConnected(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_ends_within_the_handshake_is_certainly_not_taken() {
    let server = RawServer::start(|mut connection| async move {
        drop(connection.io.read_u8().await);
    })
    .await;
    let url = server.url("").replace("http:", "https:");
    let error = within(QUICK, put(&client(), &url)).await.unwrap_err();
    assert!(matches!(error, CallError::NotConnected(_)), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn tls_on_a_plain_port_is_an_unknown_outcome() {
    let authority = Authority::new();
    let server = RawServer::answering_tls(authority.acceptor(HTTP_1), json(202, ACCEPTED)).await;
    let url = server.url("").replace("https:", "http:");
    let error = within(QUICK, put(&client(), &url)).await.unwrap_err();
    assert!(matches!(error, CallError::NoAnswer(_)), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_without_length_that_is_cut_without_a_tls_goodbye_is_an_unknown_outcome() {
    let authority = Authority::new();
    let answer = Arc::new(format!("HTTP/1.1 202 Accepted\r\n\r\n{ACCEPTED}"));
    let server = RawServer::start_tls(authority.acceptor(HTTP_1), move |mut connection| {
        let answer = Arc::clone(&answer);
        async move {
            connection.request().await;
            connection.send(answer.as_bytes()).await;
            // Dropped without a close_notify: anybody on the way can do that.
        }
    })
    .await;
    let error = within(QUICK, put(&trusting(&authority), &server.url(""))).await.unwrap_err();
    assert!(matches!(error, CallError::NoAnswer(_)), "{error:?}");
}

#[test]
fn a_bundle_that_is_empty_or_unreadable_is_a_setup_error_that_says_so() {
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &Authority::new().pem()[..200];
    for (bundle, expected) in [
        (&b""[..], "holds no certificate"),
        (b"\n \n", "holds no certificate"),
        (b"not PEM at all", "holds no certificate"),
        (b"\xff\xfe\x00binary", "holds no certificate"),
        (key.as_bytes(), "holds no certificate"),
        (no_base64.as_bytes(), "CA bundle"),
        (no_certificate.as_bytes(), "CA bundle"),
        (cut.as_bytes(), "CA bundle"),
    ] {
        let result = HttpClient::new(AMPLE, Some(bundle));
        assert_discreet(&result);
        let text = result.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}
