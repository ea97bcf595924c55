//! The operator in networks of one family: without IPv4, and without IPv6. In both it must get ready, as the kubelet asks it by the
//! only address that its pod has.
//!
//! Needs root, `unshare` and `ip`: run by `.ci/run networks`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod network;
#[path = "../../it/support/mod.rs"]
#[allow(unused)] // what the integration tests need of it is not all that is needed here
mod support;

use network::Network;
use support::{Operator, PATIENCE, World, moved};

/// The pod's default, as nothing is set.
const PORT: u16 = 8080;

/// Starts the operator as the chart does, in a network where `loopback` is the one address, and asks it there.
async fn gets_ready_in(network: &Network, loopback: &str) {
    let world = World::builder().without_operator().build().await;
    let api_server = network.relay(loopback, world.plane.url());
    let kubeconfig = moved(&world.kubeconfig, "network", &format!("https://{api_server}"));
    let flags = [format!("--watch-namespaces={}", world.namespace), "--leader-elect=false".to_owned()];
    let operator = network.inside(move || Operator::start(&kubeconfig, &flags)).ready().await;
    let asked = format!("{loopback}:{PORT}");
    for path in ["/healthz", "/readyz"] {
        let (at, request) = (asked.clone(), format!("GET {path} HTTP/1.0\r\n\r\n"));
        let answer = network.inside(move || network::ask(&at, &request));
        assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}\n{}", operator.log().join("\n"));
    }
    println!("ready in {network}: asked at {asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_ready_without_ipv4_and_without_ipv6() {
    let without_ipv4 = Network::new("a network without IPv4", "ip -4 address flush dev lo");
    let refused = without_ipv4.inside(|| std::net::TcpListener::bind("127.0.0.1:0").is_err());
    assert!(refused, "there is IPv4 after all");
    tokio::time::timeout(PATIENCE, gets_ready_in(&without_ipv4, "[::1]")).await.unwrap();

    let without_ipv6 = Network::new("a network without IPv6", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
    let refused = without_ipv6.inside(|| std::net::TcpListener::bind("[::1]:0").is_err());
    assert!(refused, "there is IPv6 after all");
    tokio::time::timeout(PATIENCE, gets_ready_in(&without_ipv6, "127.0.0.1")).await.unwrap();
}
