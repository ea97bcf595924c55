//! Who may come in, and how: kubeconfigs and clients for the administrator, for users by
//! certificate, for `ServiceAccount`s by token. Grants nothing: what each may do is up to the RBAC
//! objects that the caller applies.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::pki::CertifiedKey;
use crate::{ControlPlane, Error};

/// How long a `ServiceAccount`'s token lasts: longer than any run of tests or demo, nothing renews
/// it.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;
/// Loopback answers a connection at once or never.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A silent answer is given up after this; a watch (290 s at most with kube) may be silent for
/// longer than any other call.
const READ_WITHIN: Duration = Duration::from_mins(5);
/// While starting, a call that hangs must not use up the time.
const READ_WITHIN_AT_START: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// A client that may do anything. Made anew at each call, since a client belongs to the runtime
    /// it is made in.
    ///
    /// kube's own retry of 429, 503 and 504 is on: it is for setting up and looking, not for what
    /// is under test.
    ///
    /// # Panics
    /// Outside a tokio runtime, as `kube::Client` does.
    pub fn admin_client(&self) -> Result<Client, Error> {
        client(self.admin.clone())
    }

    /// A client for `user`, by client certificate, in `groups` (one at most) besides
    /// `system:authenticated`.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client, Error> {
        client(self.user(user, groups)?.config().await?)
    }

    /// The same as a kubeconfig file, readable by the owner only.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, Error> {
        self.write_kubeconfig(&self.user(user, groups)?)
    }

    /// A kubeconfig with a token of the `ServiceAccount` `name`, which is created where missing
    /// (its namespace is not). The token lasts 24 h, or until the `ServiceAccount` is deleted.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        self.write_kubeconfig(&self.service_account(namespace, name).await?)
    }

    /// A client with a token of the `ServiceAccount` `name`; see
    /// [`ControlPlane::service_account_kubeconfig`].
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> Result<Client, Error> {
        client(self.service_account(namespace, name).await?.config().await?)
    }

    /// A copy of `kubeconfig` that goes to `url` instead, such as a proxy on the way that serves
    /// with [`ControlPlane::serving_certificate`]. A proxy that reads the traffic can pass tokens
    /// on, not client certificates.
    pub fn kubeconfig_via(&self, kubeconfig: &Path, url: &str) -> Result<PathBuf, Error> {
        let doing = || format!("reading {}", kubeconfig.display());
        let text = std::fs::read(kubeconfig).map_err(Error::io(doing()))?;
        let mut copy: Value =
            serde_json::from_slice(&text).map_err(|error| Error::Io { doing: doing(), source: error.into() })?;
        if let Some(server) = copy.pointer_mut("/clusters/0/cluster/server") {
            *server = url.into();
        }
        self.write_kubeconfig(&Kubeconfig(copy))
    }

    /// A certificate for 127.0.0.1, `::1` and localhost that clients of this control plane trust,
    /// for what stands before its server.
    pub fn serving_certificate(&self) -> Result<CertifiedKey, Error> {
        self.authority.serving()
    }

    /// The certificate authority of all of it, PEM.
    pub fn ca_certificate(&self) -> String {
        self.authority.certificate()
    }

    fn user(&self, user: &str, groups: &[&str]) -> Result<Kubeconfig, Error> {
        let group = match groups {
            [] => None,
            [group] => Some(*group),
            more => return Err(Error::TooManyGroups(more.len())),
        };
        let key = self.authority.client(user, group)?;
        Ok(Kubeconfig::with_certificate(&self.url, &self.authority.certificate(), &key))
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<Kubeconfig, Error> {
        let accounts = Api::<ServiceAccount>::namespaced(self.admin_client()?, namespace);
        ensure(&accounts, name)
            .await
            .map_err(Error::kube(format!("creating the ServiceAccount {namespace}/{name}")))?;
        let token = token(&accounts, name).await.map_err(Error::kube(format!("a token for {namespace}/{name}")))?;
        Ok(Kubeconfig::with_token(&self.url, &self.authority.certificate(), namespace, &token))
    }

    fn write_kubeconfig(&self, kubeconfig: &Kubeconfig) -> Result<PathBuf, Error> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.home().join(format!("{number}.kubeconfig"));
        kubeconfig.write(&path)?;
        Ok(path)
    }
}

/// A kubeconfig with one context, as its JSON, which is YAML too.
pub(crate) struct Kubeconfig(Value);

impl Kubeconfig {
    pub(crate) fn with_certificate(url: &str, ca: &str, key: &CertifiedKey) -> Self {
        let user = json!({
            "client-certificate-data": BASE64_STANDARD.encode(&key.certificate),
            "client-key-data": BASE64_STANDARD.encode(&key.key),
        });
        Self::new(url, ca, &user, "default")
    }

    fn with_token(url: &str, ca: &str, namespace: &str, token: &str) -> Self {
        Self::new(url, ca, &json!({"token": token}), namespace)
    }

    fn new(url: &str, ca: &str, user: &Value, namespace: &str) -> Self {
        let name = "control-plane";
        let cluster = json!({"server": url, "certificate-authority-data": BASE64_STANDARD.encode(ca)});
        let context = json!({"cluster": name, "user": name, "namespace": namespace});
        Self(json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": context}],
            "current-context": name,
        }))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        write_private(path, &format!("{:#}\n", self.0))
    }

    /// As kube's configuration, without a look at the environment or the user's own kubeconfig.
    pub(crate) async fn config(&self) -> Result<Config, Error> {
        let parsed = kube::config::Kubeconfig::from_yaml(&self.0.to_string())?;
        let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await?;
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(READ_WITHIN);
        config.reset_reader_on_write = true;
        // kube takes HTTPS_PROXY over without regard for NO_PROXY; loopback is never behind one.
        config.proxy_url = None;
        Ok(config)
    }
}

/// For polling a server that is not ready: each call says at once what it sees.
pub(crate) fn impatient(mut config: Config) -> Config {
    config.default_retry = false;
    config.read_timeout = Some(READ_WITHIN_AT_START);
    config
}

/// Creates a file that only the owner may read, from its first byte on.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(format!("writing {}", path.display())))
}

fn client(config: Config) -> Result<Client, Error> {
    Client::try_from(config).map_err(Error::kube("making a client"))
}

async fn ensure(accounts: &Api<ServiceAccount>, name: &str) -> kube::Result<()> {
    let account = ServiceAccount {
        metadata: kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
        ..Default::default()
    };
    crate::objects::unless_there(accounts.create(&PostParams::default(), &account).await)
}

async fn token(accounts: &Api<ServiceAccount>, name: &str) -> kube::Result<String> {
    let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..Default::default() };
    let request = TokenRequest { spec, ..Default::default() };
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
    Ok(answer.status.map(|status| status.token).unwrap_or_default())
}
