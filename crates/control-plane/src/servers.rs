//! What etcd and kube-apiserver are started with: their files and their arguments. Does not start
//! them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::access::write_private;
use crate::pki::{Authority, token_key};
use crate::{Error, Options};

/// etcd's sockets, named without a folder: both servers run in the control plane's own, and a Unix
/// socket's whole path may have about 100 bytes only, which a deep temporary folder exceeds. No TCP
/// port: none to clash, and nobody else's to talk to.
const CLIENT_SOCKET: &str = "unix://etcd.sock";
const PEER_SOCKET: &str = "unix://etcd-peer.sock";
/// Megabytes until the audit log is rotated, which would hide its beginning from the tests: never,
/// in practice.
const AUDIT_MAX_MEGABYTES: u32 = 100_000;

/// Where the audit log is, in the control plane's folder.
pub(crate) fn audit_log(home: &Path) -> PathBuf {
    home.join("audit.log")
}

/// Puts what the API server reads into `home`: certificates, the token key, the audit policy.
pub(crate) fn write_files(home: &Path, authority: &Authority, options: &Options) -> Result<(), Error> {
    let serving = authority.serving()?;
    let (token_key, token_public_key) = token_key()?;
    write_private(&home.join("ca.crt"), &authority.certificate())?;
    write_private(&home.join("serving.crt"), &serving.certificate)?;
    write_private(&home.join("serving.key"), &serving.key)?;
    write_private(&home.join("tokens.key"), &token_key)?;
    write_private(&home.join("tokens.pub"), &token_public_key)?;
    write_private(&home.join("audit-policy.json"), &audit_policy(&options.audit_bodies_of).to_string())
}

/// Everything that a client asks for, at its answer; bodies for the groups named. The API server's
/// own calls and health checks are left out: they would be most of the log.
fn audit_policy(groups: &[String]) -> Value {
    let bodies: Vec<Value> = groups.iter().map(|group| json!({"group": group})).collect();
    let mut rules = vec![
        json!({"level": "None", "users": ["system:apiserver"]}),
        json!({"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]}),
    ];
    if !bodies.is_empty() {
        rules.push(json!({"level": "Request", "resources": bodies}));
    }
    rules.push(json!({"level": "Metadata"}));
    json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules})
}

/// A single member that need not survive a power cut, and elects itself at once.
pub(crate) fn etcd_args(home: &Path) -> Vec<String> {
    vec![
        format!("--data-dir={}", home.join("etcd").display()),
        format!("--listen-client-urls={CLIENT_SOCKET}"),
        format!("--advertise-client-urls={CLIENT_SOCKET}"),
        format!("--listen-peer-urls={PEER_SOCKET}"),
        format!("--initial-advertise-peer-urls={PEER_SOCKET}"),
        format!("--initial-cluster=default={PEER_SOCKET}"),
        "--unsafe-no-fsync".to_owned(),
        "--heartbeat-interval=20".to_owned(),
        "--election-timeout=200".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

/// Admission of Pods asks for a `ServiceAccount` that no controller makes here, hence the plugin
/// that is off.
pub(crate) fn apiserver_args(home: &Path, port: u16, options: &Options) -> Vec<String> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", home.join(name).display());
    let mut args = vec![
        format!("--etcd-servers={CLIENT_SOCKET}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        file("cert-dir", "."),
        file("tls-cert-file", "serving.crt"),
        file("tls-private-key-file", "serving.key"),
        file("client-ca-file", "ca.crt"),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        file("service-account-key-file", "tokens.pub"),
        file("service-account-signing-key-file", "tokens.key"),
        file("audit-policy-file", "audit-policy.json"),
        format!("--audit-log-path={}", audit_log(home).display()),
        "--audit-log-mode=blocking".to_owned(),
        format!("--audit-log-maxsize={AUDIT_MAX_MEGABYTES}"),
        "--profiling=false".to_owned(),
    ];
    args.extend(options.apiserver_args.iter().cloned());
    args
}

/// A loopback port that was free a moment ago; whoever uses it must be ready to try another.
pub(crate) fn free_port() -> Result<u16, Error> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(bound.map_err(Error::io("looking for a free port"))?.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bodies_are_audited_for_the_named_groups_only() {
        let policy = audit_policy(&["example.dev".to_owned()]);
        let rules = policy.get("rules").unwrap().as_array().unwrap();
        assert_eq!(rules.get(2).unwrap(), &json!({"level": "Request", "resources": [{"group": "example.dev"}]}));
        assert_eq!(rules.last().unwrap(), &json!({"level": "Metadata"}));
        assert!(!audit_policy(&[]).to_string().contains("Request\""));
    }

    #[test]
    fn the_callers_arguments_come_last_so_that_they_win() {
        let options = Options { apiserver_args: vec!["--v=4".to_owned()], ..Options::default() };
        assert_eq!(apiserver_args(Path::new("/h"), 1, &options).last().unwrap(), "--v=4");
    }
}
