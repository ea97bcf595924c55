//! Where the documents play: the operator, an emulated Konnect whose runs move by hand, and somebody with a terminal.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use k8s_openapi::api::core::v1::Event;
use konnect_emulator::{Emit, Status};
use konnect_replay_core::api::AuditLogReplayJob;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::wait::await_condition;

use crate::documents::Shown;
use crate::shell::Shell;
use crate::support::{PATIENCE, World, ready_reason};
use crate::varying;

/// The namespace and the object of the documents.
const NAMESPACE: &str = "audit";
const NAME: &str = "siem-outage";
/// How many events the outage has lost.
const LOST: usize = 8;

pub struct Stage {
    world: World,
    pub shell: Shell,
}

impl Stage {
    pub async fn start() -> Self {
        let world = World::builder().flag(&format!("--watch-namespaces={NAMESPACE}")).build().await;
        let kubeconfig = world.plane.kubeconfig_for("jane", &["system:masters"]).unwrap();
        let lost = Emit::at(LOST, Utc::now() - TimeDelta::hours(3)).lost();
        world.emulator.emit(&world.portal, lost).unwrap();
        Self { world, shell: Shell::new(kubeconfig) }
    }

    /// A replay of the portal that is under way already.
    pub fn somebody_elses_run(&self) {
        self.world.foreign_run(&self.world.portal);
    }

    /// The next state of the run that is under way.
    pub fn advance(&self, next: Status) {
        self.world.emulator.advance(&self.world.portal, next).unwrap();
    }

    /// Waits until the object of the documents says so.
    pub async fn until(&self, reason: &str) {
        let jobs: Api<AuditLogReplayJob> = Api::namespaced(self.world.client.clone(), NAMESPACE);
        let says_so = |job: Option<&AuditLogReplayJob>| job.is_some_and(|job| ready_reason(job) == reason);
        let waiting = tokio::time::timeout(PATIENCE, await_condition(jobs, NAME, says_so));
        waiting.await.unwrap_or_else(|_| panic!("{NAME} was never {reason}")).unwrap();
    }

    /// Waits until the lost events have come, so that Konnect has an answer to tell of.
    pub async fn received(&self) {
        self.world.receiver.wait_for_events(LOST, PATIENCE).await.unwrap();
    }

    /// Waits until an Event tells so: these are published a moment after the status is written.
    pub async fn told(&self, reason: &str) {
        let events: Api<Event> = Api::namespaced(self.world.client.clone(), NAMESPACE);
        let is_there = async || {
            let all = events.list(&ListParams::default()).await.unwrap();
            all.iter().any(|event| event.reason.as_deref() == Some(reason))
        };
        let waiting = async {
            while !is_there().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no Event told {reason}"));
    }

    /// Runs the commands of a chapter; those that print something else, with what they print.
    pub async fn compare(&self, chapter: &[Shown]) -> Vec<String> {
        let mut wrong = Vec::new();
        for Shown { command, output } in chapter {
            let printed = self.shell.start(command).await.unwrap();
            let (shown, seen) = (varying::without(output), varying::without(&printed));
            if let Some(at) = differ(&shown, &seen) {
                wrong.push(format!("$ {command}\n{printed}--- {at}\n"));
            }
        }
        wrong
    }
}

/// Where two texts differ first.
fn differ(shown: &[String], seen: &[String]) -> Option<String> {
    let lines = shown.len().max(seen.len());
    let at = (0..lines).find(|line| shown.get(*line) != seen.get(*line))?;
    Some(format!("line {}: shown {:?}, printed {:?}", at + 1, shown.get(at), seen.get(at)))
}
