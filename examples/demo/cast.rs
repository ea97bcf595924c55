//! Who takes part: the API server, Konnect, the SIEM, the operator.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use control_plane::{ControlPlane, Options as PlaneOptions};
use konnect_emulator::{Emulator, Options, Receiver, ReceiverOptions, TargetKey, Timings, Webhook};
use kube::{Api, Client};

use crate::screen::say;
use crate::{AS_OPERATOR, Result};

/// The namespace of the demo's objects.
pub(crate) const NAMESPACE: &str = "audit";
/// The organisation at Konnect.
const ORG: &str = "acme";
/// Its token.
const TOKEN: &str = "spat_of-the-demo";
/// The Dev Portal whose events get lost.
pub(crate) const PORTAL: &str = "6b1e4f0c-2f0f-4c39-9f3c-1f7f5d6f9f10";
/// Another portal of the same organisation and region.
const OTHER_PORTAL: &str = "0d7a3c52-8c1b-4b7e-9a53-2f6f3b0c9e77";

/// The operator's log, in the folder that is removed at the end.
const LOG: &str = "operator.log";

/// Everybody.
pub(crate) struct Cast {
    plane: ControlPlane,
    pub(crate) konnect: Emulator,
    pub(crate) siem: Receiver,
    pub(crate) portal: TargetKey,
    pub(crate) other_portal: TargetKey,
    pub(crate) client: Client,
    operator: Child,
}

impl Cast {
    /// Starts everybody and introduces them.
    pub(crate) async fn assemble() -> Result<Self> {
        say(
            "1. Starting a real API server. (The first time ever, it is built from Go modules: 6 to 7 minutes on 2 cores.)",
        );
        let plane = ControlPlane::start(PlaneOptions::default()).await?;
        let kubeconfig = install(&plane).await?;

        say("2. Starting an emulated Konnect (region eu, two Dev Portals), a receiver as the SIEM, and the operator.");
        let konnect = Emulator::start(konnect_options()).await?;
        konnect.add_organization(ORG, TOKEN)?;
        let portal = konnect.add_portal(ORG, "eu", PORTAL)?;
        let other_portal = konnect.add_portal(ORG, "eu", OTHER_PORTAL)?;
        let options = ReceiverOptions { jwks: Some(konnect.jwks()), ..ReceiverOptions::default() };
        let siem = Receiver::start(options).await?;
        for target in [&portal, &other_portal] {
            konnect.set_webhook(target, Webhook::new(siem.url()))?;
        }
        let client = plane.admin_client()?;
        let operator = operator(&kubeconfig, &konnect, &plane.home().join(LOG))?;
        Ok(Self { plane, konnect, siem, portal, other_portal, client, operator })
    }

    /// The objects of the demo.
    pub(crate) fn jobs(&self) -> Api<konnect_replay_core::api::AuditLogReplayJob> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Applies YAML, as `kubectl apply` does.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<()> {
        self.plane.apply_in(NAMESPACE, yaml).await?;
        Ok(())
    }

    /// A kubeconfig for the reader.
    pub(crate) fn kubeconfig(&self) -> String {
        self.plane.kubeconfig_admin().display().to_string()
    }

    /// Where the operator logs: what it says must not appear in the middle of the demo's own lines.
    pub(crate) fn log(&self) -> PathBuf {
        self.plane.home().join(LOG)
    }

    /// Stops everybody.
    pub(crate) async fn leave(mut self) {
        self.stop_operator();
        let plane = self.plane;
        self.konnect.stop().await;
        plane.stop().await;
    }

    fn stop_operator(&mut self) {
        // It may have ended by itself: Ctrl-C reaches it too.
        let _ = self.operator.kill();
        let _ = self.operator.wait();
    }
}

/// A run takes a second in each state; failed deliveries are given up after 40 ms instead of 40 s.
fn konnect_options() -> Options {
    Options { timings: Timings::all(Duration::from_secs(1)), retry_scale: 0.001, ..Options::default() }
}

/// Puts the CRD, the shipped role, a namespace and the token into the cluster.
async fn install(plane: &ControlPlane) -> Result<PathBuf> {
    plane.create_namespace("konnect-replay").await?;
    plane.create_namespace(NAMESPACE).await?;
    plane.apply(konnect_replay_core::api::CRD).await?;
    plane.apply(include_str!("../../deploy/kustomize/base/rbac.yaml")).await?;
    plane.wait_crd_established("auditlogreplayjobs.konnect-replay.dev").await?;
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: konnect-token}}\nstringData: {{token: {TOKEN}}}\n");
    plane.apply_in(NAMESPACE, &secret).await?;
    Ok(plane.service_account_kubeconfig("konnect-replay", "konnect-replay").await?)
}

/// The operator as a process, with intervals short enough to watch.
fn operator(kubeconfig: &Path, konnect: &Emulator, log: &Path) -> Result<Child> {
    let log = File::create(log)?;
    let child = Command::new(std::env::current_exe()?)
        .args([AS_OPERATOR, "run", "--listen=127.0.0.1:0", "--log-format=text"])
        .args(["--poll-interval=1s", "--retry-interval=2s", "--ingest-delay=1s"])
        .arg(format!("--konnect-url={}", konnect.url_template()))
        .env("KUBECONFIG", kubeconfig)
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(child)
}
