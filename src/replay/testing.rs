//! What all passes over jobs share, without a cluster.

use futures::channel::mpsc::UnboundedReceiver;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio::sync::watch;

use super::context::Context;
use crate::runtime::objects::Guarded;
use crate::runtime::testing::shared;
use crate::runtime::watch::Watches;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::Candidate;

/// The jobs that are woken.
type WokenJobs = UnboundedReceiver<ObjectRef<Guarded<AuditLogReplayJob>>>;

/// An object of the one lane there is. Of two, the one whose window starts at the earlier hour goes first.
pub(super) fn job(name: &str, hour: u32) -> AuditLogReplayJob {
    let at = |hour: u32| format!("2026-11-20T{hour:02}:00:00Z");
    let object = json!({
        "apiVersion": "konnect-replay.dev/v1alpha1", "kind": "AuditLogReplayJob",
        "metadata": { "name": name, "namespace": "audit", "uid": name },
        "spec": {
            "target": { "region": "eu", "scope": "Organization" },
            "window": { "startAt": at(hour), "endAt": at(hour + 1) },
            "tokenSecretRef": { "name": "token" },
        },
    });
    serde_json::from_value(object).unwrap()
}

/// `job` as the scheduler knows it.
pub(super) fn candidate(ctx: &Context, job: &AuditLogReplayJob) -> Candidate {
    Candidate::of(job, ctx.policy()).unwrap()
}

/// With the settings as shipped, all listed, and the jobs that are woken. It reaches no server.
pub(super) fn context() -> (Context, WokenJobs) {
    let (ctx, woken, _say_stop) = context_and_stop();
    (ctx, woken)
}

/// The same, and what tells it to stop: dropped, it tells that too.
pub(super) fn context_and_stop() -> (Context, WokenJobs, watch::Sender<bool>) {
    let (shared, say_stop) = shared();
    let (watches, mut woken) = Watches::new(&shared);
    watches.listed.seen(None);
    let woken = woken.pop().unwrap();
    (Context::new(shared, watches), woken.objects, say_stop)
}
