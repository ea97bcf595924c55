//! No way to Konnect: the object says why, nothing leaves, and one run follows when the way is open.

use std::path::PathBuf;

use konnect_replay_core::api::ConditionType;
use tokio_rustls::TlsAcceptor;

use super::front::Front;
use crate::konnect_client::authority::{Authority, HTTP_1, certificate, certificate_of_years};
use crate::support::{World, condition};

/// Waits until the object says that Konnect cannot be reached, and why.
async fn unreachable_because(world: &World, name: &str, cause: &str) {
    let fits = |job: &konnect_replay_core::api::AuditLogReplayJob| {
        condition(job, &ConditionType::Ready)
            .is_some_and(|c| c.reason == "KonnectUnavailable" && c.message.contains(cause))
    };
    let found = world.wait(name, cause, fits).await;
    assert!(condition(&found, &ConditionType::Stalled).is_none(), "it is tried again by itself");
    assert!(world.emulator.calls().is_empty() && found.status.unwrap().submission.is_none());
}

async fn ends_well(world: &World, name: &str, lost: &[String]) {
    world.wait_until_complete(name).await;
    assert_eq!((world.puts(), world.runs().len()), (1, 1), "{name}");
    world.received_once(lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_refuses_or_does_not_resolve_is_named_and_the_next_url_works() {
    let ways = [
        ("refused", "http://127.0.0.1:1/{region}", "refused"),
        ("no-such-host", "https://{region}.konnect.invalid", "lookup"),
        ("no-such-host-in-the-clear", "http://{region}.konnect.invalid", "lookup"),
    ];
    futures::future::join_all(ways.map(async |(name, url, cause)| {
        // A resolver may take its time to say no.
        let world = World::builder().flag("--request-timeout=30s").without_operator().build().await;
        let job = world.create(world.job(name)).await;
        let lost = world.lose(&world.portal, &job, 1);
        let astray = world.start_operator(&[&format!("--konnect-url={url}")]).await;
        unreachable_because(&world, name, cause).await;
        drop(astray);
        let _operator = world.start_operator(&[]).await;
        ends_well(&world, name, &lost).await;
    }))
    .await;
}

/// A CA bundle for the operator.
fn bundle(world: &World, authority: &Authority) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-wire.pem", world.namespace));
    std::fs::write(&path, authority.pem()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_trusted_is_named_and_a_good_one_is_enough_to_go_on() {
    let ours = Authority::new();
    let served = |params| ours.serve(&params, HTTP_1, rustls::ALL_VERSIONS);
    let bad: [(&str, TlsAcceptor, &str); 4] = [
        ("wrong-authority", Authority::new().acceptor(HTTP_1), "UnknownIssuer"),
        ("expired", served(certificate_of_years("127.0.0.1", 2019, 2020)), "expired"),
        ("not-yet-valid", served(certificate_of_years("127.0.0.1", 2100, 2200)), "not valid yet"),
        ("wrong-name", served(certificate("konnect.example")), "not valid for name"),
    ];
    futures::future::join_all(bad.map(async |(name, acceptor, cause)| {
        let world = World::builder().without_operator().logging("trace").build().await;
        let front = Front::before(&world).await;
        front.present(acceptor);
        let job = world.create(world.job(name)).await;
        let lost = world.lose(&world.portal, &job, 1);
        let trusted = format!("--ca-bundle={}", bundle(&world, &ours).display());
        let _operator = world.start_operator(&[&front.flag(), &trusted]).await;
        unreachable_because(&world, name, cause).await;
        assert_eq!(front.requests(), 0, "the token was sent to a stranger");
        front.present(ours.acceptor(HTTP_1));
        ends_well(&world, name, &lost).await;
    }))
    .await;
}
