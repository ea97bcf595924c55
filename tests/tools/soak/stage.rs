//! Who takes part, and where: ten organisations with a token each, three regions, two portals in each.

use std::time::Duration;

use control_plane::proxy::FaultProxy;
use control_plane::{ControlPlane, Options as PlaneOptions};
use fastrand::Rng;
use konnect_emulator::{
    Behaviour, Emulator, Options, Q1, Q5, Q6, Receiver, ReceiverOptions, TargetKey, Timings, Webhook,
};
use konnect_replay_core::api::AuditLogReplayJob;
use kube::Api;

use crate::replicas::Replicas;
use crate::{Result, say};

/// The namespace of all objects.
pub(crate) const NAMESPACE: &str = "soak";
/// What stands in every token and must show nowhere.
pub(crate) const CANARY: &str = "canary-of-the-soak";
const ORGS: usize = 10;
const REGIONS: [&str; 3] = ["eu", "us", "au"];
const PORTALS: usize = 2;
/// Time of a run in each state.
const PACE: Duration = Duration::from_millis(400);

/// Everybody.
pub(crate) struct Stage {
    plane: ControlPlane,
    /// Between the replicas and the API server.
    pub(crate) proxy: FaultProxy,
    pub(crate) konnect: Emulator,
    pub(crate) receiver: Receiver,
    pub(crate) replicas: Replicas,
    pub(crate) jobs: Api<AuditLogReplayJob>,
    pub(crate) targets: Vec<TargetKey>,
}

impl Stage {
    /// Starts everybody. Which way Konnect's open questions are answered is drawn.
    pub(crate) async fn assemble(rng: &mut Rng) -> Result<Self> {
        let plane = ControlPlane::start(PlaneOptions::default()).await?;
        plane.create_namespace("konnect-replay").await?;
        plane.create_namespace(NAMESPACE).await?;
        plane.apply(konnect_replay_core::api::CRD).await?;
        plane.apply(include_str!("../../../deploy/kustomize/base/rbac.yaml")).await?;
        plane.wait_crd_established("auditlogreplayjobs.konnect-replay.dev").await?;
        let konnect = Emulator::start(konnect_options(rng)).await?;
        let receiver = Receiver::start(ReceiverOptions::default()).await?;
        let targets = targets(&konnect, &receiver)?;
        let kubeconfig = plane.service_account_kubeconfig("konnect-replay", "konnect-replay").await?;
        let proxy = FaultProxy::start(&plane).await?;
        let kubeconfig = plane.kubeconfig_via(&kubeconfig, proxy.url())?;
        let jobs = Api::namespaced(plane.admin_client()?, NAMESPACE);
        let replicas = Replicas::start(kubeconfig, konnect.url_template())?;
        let stage = Self { plane, proxy, konnect, receiver, replicas, jobs, targets };
        for org in 0..ORGS {
            stage.set_token(&org_name(org), &token_of(&org_name(org))).await?;
        }
        Ok(stage)
    }

    /// Writes the token of an organisation into its Secret.
    pub(crate) async fn set_token(&self, org: &str, token: &str) -> Result<()> {
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {}}}\nstringData: {{token: {token}}}\n",
            secret_of(org)
        );
        self.plane.apply_in(NAMESPACE, &secret).await?;
        Ok(())
    }

    /// Gives a target its webhook.
    pub(crate) fn enable_webhook(&self, target: &TargetKey) -> Result<()> {
        Ok(self.konnect.set_webhook(target, Webhook::new(self.receiver.url()))?)
    }

    /// Stops everybody; the logs stay if there is something to look at.
    pub(crate) async fn leave(self, all_is_well: bool) {
        self.replicas.leave(all_is_well);
        self.konnect.stop().await;
        self.plane.stop().await;
    }
}

/// One of the targets.
pub(crate) fn any_of<'a, T>(rng: &mut Rng, all: &'a [T]) -> Result<&'a T> {
    rng.choice(all.iter()).ok_or_else(|| "nothing to choose from".into())
}

/// The name of the Secret with an organisation's token.
pub(crate) fn secret_of(org: &str) -> String {
    format!("konnect-token-{org}")
}

/// The token of an organisation that works.
pub(crate) fn token_of(org: &str) -> String {
    format!("kpat_{CANARY}-{org}")
}

fn org_name(number: usize) -> String {
    format!("org{number}")
}

fn targets(konnect: &Emulator, receiver: &Receiver) -> Result<Vec<TargetKey>> {
    let mut targets = Vec::new();
    for org in 0..ORGS {
        konnect.add_organization(&org_name(org), &token_of(&org_name(org)))?;
        for region in REGIONS {
            for _ in 0..PORTALS {
                let portal = format!("0d0f7b52-0000-4c39-9f3c-{:012x}", targets.len());
                let target = konnect.add_portal(&org_name(org), region, &portal)?;
                konnect.set_webhook(&target, Webhook::new(receiver.url()))?;
                targets.push(target);
            }
        }
    }
    Ok(targets)
}

fn konnect_options(rng: &mut Rng) -> Options {
    let q1 = [Q1::Replace, Q1::Queue, Q1::Refuse];
    let q1 = q1.get(rng.usize(..q1.len())).copied().unwrap_or_default();
    let q5 = if rng.bool() { Q5::EachChange } else { Q5::OnlyPut };
    let q6 = if rng.bool() { Q6::KeepsWindow } else { Q6::ClearsWindow };
    say(&format!("Konnect: a PUT onto a waiting run: {q1:?}; updated_at: {q5:?}; failed: {q6:?}"));
    Options {
        timings: Timings::all(PACE),
        retry_scale: 0.001,
        q1,
        behaviour: Behaviour { q5, q6, ..Behaviour::default() },
        ..Options::default()
    }
}
