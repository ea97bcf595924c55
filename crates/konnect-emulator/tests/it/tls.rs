//! HTTPS with the private CA, over HTTP/2 and HTTP/1.1.

use konnect_emulator::{Action, Emulator, Error, Fault, Hold, Options, Tls};
use reqwest::Certificate;

use crate::support::{LIMIT, quick};

fn tls(names: &[&str]) -> Options {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Options { tls: Some(Tls::SelfSigned { names }), ..quick() }
}

fn trusting(emulator: &Emulator) -> reqwest::ClientBuilder {
    let ca = Certificate::from_pem(emulator.ca_pem().unwrap().as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([ca])
}

#[tokio::test]
async fn a_client_that_trusts_the_ca_gets_http_2_or_1() {
    let emulator = Emulator::start(tls(&[])).await.unwrap();
    assert!(emulator.url_template().starts_with("https://127.0.0.1:"));
    assert!(emulator.url_template().ends_with("/{region}"));
    let url = format!("{}/v2/audit-log-webhook/jwks.json", emulator.base_url("eu"));
    for (client, version) in
        [(trusting(&emulator), reqwest::Version::HTTP_2), (trusting(&emulator).http1_only(), reqwest::Version::HTTP_11)]
    {
        let response = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert!(response.headers().contains_key("date"));
    }
    let paths: Vec<_> = emulator.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, ["/eu/v2/audit-log-webhook/jwks.json"; 2], "the same form in both versions of HTTP");
    let by_name = url.replace("127.0.0.1", "localhost");
    trusting(&emulator).build().unwrap().get(by_name).send().await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_ca_leaves() {
    let emulator = Emulator::start(tls(&[])).await.unwrap();
    let error = crate::support::client().get(emulator.base_url("eu")).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn more_names_can_be_served() {
    let emulator = Emulator::start(tls(&["konnect.test"])).await.unwrap();
    let address = emulator.base_url("eu").replace("https://", "").replace("/eu", "").parse().unwrap();
    let client = trusting(&emulator).resolve("konnect.test", address).build().unwrap();
    let url = format!("https://konnect.test:{}/eu/v2/audit-log-webhook/jwks.json", address.port());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_cut_closes_a_tls_connection_too() {
    let emulator = Emulator::start(tls(&[])).await.unwrap();
    emulator.add_fault(Fault::new(Action::CutBefore).times(1));
    let client = trusting(&emulator).retry(reqwest::retry::never()).build().unwrap();
    let url = format!("{}/v2/audit-log-webhook/jwks.json", emulator.base_url("eu"));
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_a_stopped_one_is_free() {
    let first = Emulator::start(quick()).await.unwrap();
    let listen = first.base_url("eu").replace("http://", "").replace("/eu", "").parse().unwrap();
    let again = || Emulator::start(Options { listen, ..quick() });
    assert!(matches!(again().await, Err(Error::Listen { .. })));
    first.stop().await;
    again().await.unwrap();
}

#[tokio::test]
async fn a_connection_can_be_ended_while_a_request_on_it_is_held() {
    let emulator = Emulator::start(tls(&[])).await.unwrap();
    emulator.add_fault(Fault::new(Action::GoAway).times(1));
    let id = emulator.hold(Hold::after().times(1));
    let client = trusting(&emulator).build().unwrap();
    let url = format!("{}/v2/audit-log-webhook/jwks.json", emulator.base_url("eu"));
    let held = tokio::spawn(client.get(&url).send());
    emulator.wait_held(id, LIMIT).await.unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200, "others go on, here or on a new connection");
    emulator.release(id).unwrap();
    let response = held.await.unwrap().unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_2));
}
