//! What all sections play on: one control plane with the CRD and the shipped role, and the operator's binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use control_plane::proxy::FaultProxy;
use control_plane::{AuditMark, ControlPlane, Options};
use kube::Client;

use crate::args::Args;
use crate::load::Konnect;
use crate::operator::Operator;

const SYSTEM_NAMESPACE: &str = "konnect-replay";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:konnect-replay:konnect-replay";
/// What is logged where nobody reads it.
const QUIET: &str = "info,kube=warn";
/// The steps of each pass.
const STEPS: &str = "info,konnect_replay=debug,kube=warn";

/// What all sections play on.
pub struct Stage {
    pub plane: ControlPlane,
    pub client: Client,
    pub binary: PathBuf,
    kubeconfig: PathBuf,
}

/// How an operator is to be started.
pub struct Start<'a> {
    stage: &'a Stage,
    kubeconfig: PathBuf,
    flags: Vec<String>,
    log: &'static str,
}

impl Stage {
    pub async fn set(args: &Args) -> Self {
        let binary = args.operator.clone().unwrap_or_else(build);
        let options = Options { audit_bodies_of: Vec::new(), ..Options::default() };
        let plane = ControlPlane::start(options).await.unwrap();
        plane.create_namespace(SYSTEM_NAMESPACE).await.unwrap();
        plane.apply(include_str!("../../crds/auditlogreplayjobs.yaml")).await.unwrap();
        plane.apply(include_str!("../../deploy/kustomize/base/rbac.yaml")).await.unwrap();
        let kubeconfig = plane.service_account_kubeconfig(SYSTEM_NAMESPACE, "konnect-replay").await.unwrap();
        // The authorizer sees the role a moment later; nothing says when, and the operator would wait for seconds before it looks again.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let client = plane.admin_client().unwrap();
        Self { plane, client, binary, kubeconfig }
    }

    /// An operator on a namespace, without election, that speaks to `konnect`; intervals as shipped.
    pub fn operator(&self, namespace: &str, konnect: &Konnect) -> Start<'_> {
        let flags = [
            format!("--watch-namespaces={namespace}"),
            format!("--konnect-url={}", konnect.emulator.url_template()),
            "--listen=127.0.0.1:0".to_owned(),
            "--leader-elect=false".to_owned(),
        ];
        Start { stage: self, kubeconfig: self.kubeconfig.clone(), flags: flags.to_vec(), log: QUIET }
    }

    pub fn mark(&self) -> AuditMark {
        self.plane.audit_mark().unwrap()
    }

    /// What operators have asked of the apiserver since then, by verb and resource.
    pub fn requests(&self, since: AuditMark) -> Requests {
        let events = self.plane.audit().since(since).user(SERVICE_ACCOUNT).events().unwrap();
        let mut by_kind: BTreeMap<String, usize> = BTreeMap::new();
        // A watch that has ended is in the log twice, the same request.
        let whole = events.into_iter().filter(|event| !(event.verb == "watch" && event.stage == "ResponseComplete"));
        for event in whole {
            let resource = event.resource.unwrap_or(event.request_uri);
            let of = event.subresource.map(|name| format!("/{name}")).unwrap_or_default();
            *by_kind.entry(format!("{} {resource}{of}", event.verb)).or_default() += 1;
        }
        Requests(by_kind)
    }
}

impl Start<'_> {
    /// One more flag, in place of an earlier one of that name.
    pub fn flag(mut self, flag: &str) -> Self {
        let name = flag.split('=').next().unwrap();
        self.flags.retain(|other| other.split('=').next() != Some(name));
        self.flags.push(flag.to_owned());
        self
    }

    /// With election, for a lease of this name.
    pub fn elected(self, lease: &str) -> Self {
        self.flag("--leader-elect=true")
            .flag(&format!("--lease-namespace={SYSTEM_NAMESPACE}"))
            .flag(&format!("--lease-name={lease}"))
    }

    pub fn through(mut self, proxy: &FaultProxy) -> Self {
        self.kubeconfig = self.stage.plane.kubeconfig_via(&self.kubeconfig, proxy.url()).unwrap();
        self
    }

    /// Has it log each step of each pass.
    pub fn logging_steps(mut self) -> Self {
        self.log = STEPS;
        self
    }

    pub fn start(&self) -> Operator {
        Operator::start(&self.stage.binary, &self.kubeconfig, &self.flags, self.log)
    }
}

/// Requests by verb and resource.
pub struct Requests(BTreeMap<String, usize>);

impl Requests {
    /// How many begin with these words.
    pub fn of(&self, words: &str) -> usize {
        self.0.iter().filter(|(kind, _)| kind.starts_with(words)).map(|(_, n)| n).sum()
    }

    /// Everything that changes something.
    pub fn writes(&self) -> usize {
        ["create", "update", "patch", "delete"].iter().map(|verb| self.of(verb)).sum()
    }

    /// Status writes.
    pub fn status_writes(&self) -> usize {
        self.of("patch auditlogreplayjobs/status")
    }
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        f.write_str(&if all.is_empty() { "none".to_owned() } else { all.join(", ") })
    }
}

/// The operator as it is shipped: no feature that only tests need, and linked as in the image.
fn build() -> PathBuf {
    eprintln!("building the operator as for the image; some minutes the first time");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["rustc", "--release", "--quiet", "-p", "konnect-replay", "--bin", "konnect-replay", "--"];
    let status = Command::new(cargo).args(arguments).args(linked_as_in_the_image()).status().unwrap();
    assert!(status.success(), "the operator does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("release/konnect-replay")
}

/// What the image's recipe tells the compiler about linking.
fn linked_as_in_the_image() -> impl Iterator<Item = &'static str> {
    let line = include_str!("../../Dockerfile").lines().find(|line| line.trim_start().starts_with("-- -C link-arg="));
    line.expect("Dockerfile tells how to link").split_whitespace().skip(1).take(2)
}
