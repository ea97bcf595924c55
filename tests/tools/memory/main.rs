//! How much memory the operator takes when authors make their objects as large as they can.
//!
//! Takes minutes, as 200 objects of more than a megabyte are made: run by `.ci/run memory`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

#[path = "../../it/support/mod.rs"]
#[allow(unused)] // what the integration tests need of it is not all that is needed here
mod support;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use support::World;

/// The limit of the chart's values.yaml, `resources.limits.memory`: 256Mi.
const LIMIT: usize = 256 << 20;
/// As many as the issue names. Each is almost as large as etcd takes a value (1.5 MiB).
const OBJECTS: u32 = 200;
/// How much of an object are labels: with who owns each of them, that is 1.3 MB.
const LABELS: usize = 14_500;
/// The most that annotations may take together is 256 KiB.
const ANNOTATION: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_as_large_as_can_be_do_not_end_the_operator_at_its_start() {
    let world = World::builder().without_operator().on_its_own_api_server().build().await;
    let labels: BTreeMap<String, String> = (0..LABELS).map(|n| (format!("l{n}"), "x".repeat(63))).collect();
    let annotations: BTreeMap<String, String> = ["konnect-replay.dev/x", "konnect-replay.dev/requested-at"]
        .map(|name| (name.to_owned(), "y".repeat(ANNOTATION)))
        .into();
    let (world_ref, labels, annotations) = (&world, &labels, &annotations);
    let made = stream::iter(0..OBJECTS).map(|n| async move {
        let mut job = world_ref.job(&format!("large-{n}")).suspended().build();
        job.metadata.labels = Some(labels.clone());
        job.metadata.annotations = Some(annotations.clone());
        match world_ref.jobs().create(&kube::api::PostParams::default(), &job).await {
            // A create whose answer came too late is sent again by the client, and finds its object there.
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
    });
    made.buffer_unordered(4).collect::<Vec<()>>().await;
    let large = serde_json::to_string(&world.get("large-0").await).unwrap().len();
    assert!(large > 1_300_000, "{large}");

    let operator = world.start_operator(&["--request-timeout=30s"]).await;
    operator.wait_for_metrics("all objects and passes over some", is_at_work).await;
    let peak = operator.peak_memory();
    println!("{OBJECTS} objects of {large} bytes: {} MiB at most", peak >> 20);
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
}

/// Whether all objects have been listed, and as many passes have ended as twice the workers. Not all of them: each writes a status, and
/// every write costs this API server about a second, as it takes in who owns each of the labels.
fn is_at_work(metrics: &str) -> Option<()> {
    let sum = |name: &str| -> f64 {
        let values = metrics.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
        values.filter_map(|value| value.parse::<f64>().ok()).sum()
    };
    let (known, passes) = (sum("auditlogreplay_jobs{"), sum("controller_runtime_reconcile_total{"));
    (known >= f64::from(OBJECTS) && passes >= 32.0).then_some(())
}
