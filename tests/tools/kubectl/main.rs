//! What README.md and docs/kubectl.md show of kubectl, to the letter: the real kubectl runs their commands against a real API server,
//! the real operator and an emulated Konnect, and prints what they show. What differs from run to run is taken out first, see
//! [`varying`].
//!
//! Needs `kubectl`: run by `.ci/run kubectl`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // a test binary has no API

mod documents;
mod environments;
mod shell;
mod stage;
#[path = "../../it/support/mod.rs"]
#[allow(unused)] // what the integration tests need of it is not all that is needed here
mod support;
mod varying;

use documents::{KUBECTL, README, Shown};
use konnect_emulator::Status;
use stage::Stage;

/// What the commands of README's first object say, one after the other.
const MADE_AND_COMPLETE: &str = "\
namespace/audit created
secret/konnect-token created
auditlogreplayjob.konnect-replay.dev/siem-outage created
auditlogreplayjob.konnect-replay.dev/siem-outage condition met
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_prints_what_the_documents_show() {
    let [before, waiting, ended, refused] = documents::chapters(KUBECTL);
    let stage = Stage::start().await;
    stage.somebody_elses_run();
    let first_object = stage.shell.start(documents::script(README, "A first object"));
    stage.until("BlockedByRemoteJob").await;
    let mut wrong = stage.compare(&waiting).await;

    stage.advance(Status::Completed);
    for (reason, next) in [("Accepted", Status::Pending), ("RemotePending", Status::Running)] {
        stage.until(reason).await;
        stage.advance(next);
    }
    stage.until("Running").await;
    stage.received().await;
    stage.advance(Status::Completed);
    stage.told("Completed").await;
    let said = first_object.await.unwrap();
    assert_eq!(said, MADE_AND_COMPLETE, "README, A first object");
    let shown: [Vec<Shown>; 4] = [documents::shown(README), ended, before, refused];
    for chapter in &shown {
        wrong.extend(stage.compare(chapter).await);
    }
    assert!(wrong.is_empty(), "not what is printed:\n\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_replay_finds_the_cluster_that_kubectl_finds() {
    let world = support::World::builder().without_operator().build().await;
    let home =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("environments-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    environments::compare(&world, home).await;
}
