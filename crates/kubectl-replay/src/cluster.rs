//! The way to the cluster: kubeconfig, namespace, and calls that are bounded and fail in words.

use std::time::Duration;

use kube::config::ExecInteractiveMode;
use kube::core::DeserializeGuard;
use kube::{Api, Client, Config};

use super::cli::ClusterArgs;
use super::error::PluginError;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_kubeconfig::{self as kubeconfig, Choice};

/// An object that may not parse.
pub(super) type Guarded = DeserializeGuard<AuditLogReplayJob>;

/// What the arguments say of the cluster; nothing is read before it is needed, so that printing an object needs no cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    args: ClusterArgs,
    /// Whether a program that logs in may speak to the user.
    interactive: bool,
}

impl Cluster {
    pub(super) fn new(args: &ClusterArgs) -> Self {
        Self { args: args.clone(), interactive: true }
    }

    /// The same without a user at a terminal: a program that logs in gets no terminal, and does not print to it.
    pub(super) fn silent(args: &ClusterArgs) -> Self {
        Self { args: args.clone(), interactive: false }
    }

    /// The namespace that was named, if one was.
    pub(super) fn named_namespace(&self) -> Option<&str> {
        self.args.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// Reads the kubeconfig and makes a client. The API server is not called yet; a program that logs in may run.
    pub(super) async fn connect(&self) -> Result<Connection, PluginError> {
        // On threads of their own: a file that is slow to read, and a program that logs in, must not hold up a time limit or Ctrl-C.
        let this = self.clone();
        let config = tokio::task::spawn_blocking(move || this.config()).await.map_err(std::io::Error::other)??;
        let server = config.cluster_url.to_string();
        let namespace = self.named_namespace().unwrap_or(&config.default_namespace).to_owned();
        let auth_provider = config.auth_info.auth_provider.as_ref().map(|provider| provider.name.clone());
        let client = tokio::task::spawn_blocking(|| Client::try_from(config)).await.map_err(std::io::Error::other)?;
        let wrong = |error| PluginError::Cluster { error: Box::new(error), server: server.clone() };
        let client = client.map_err(wrong)?;
        let (flags, limit) = (self.flags(), self.args.request_timeout);
        Ok(Connection { client, namespace, server, flags, limit, auth_provider, cluster: self.clone() })
    }

    /// The flags that say which cluster, namespace and user, as they were given; quoted where a shell needs it.
    fn flags(&self) -> String {
        let ClusterArgs { namespace, context, kubeconfig, cluster, user, impersonate, impersonate_groups, .. } =
            &self.args;
        let kubeconfig = kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("-n", namespace),
            ("--context", context),
            ("--kubeconfig", &kubeconfig),
            ("--cluster", cluster),
            ("--user", user),
            ("--as", impersonate),
        ];
        let once = flags.iter().filter_map(|(flag, value)| Some((*flag, value.as_ref()?)));
        let groups = impersonate_groups.iter().map(|group| ("--as-group", group));
        let words: Vec<String> =
            once.chain(groups).flat_map(|(flag, value)| [flag.to_owned(), quoted(value)]).collect();
        words.iter().flat_map(|word| [" ", word.as_str()]).collect()
    }

    fn config(&self) -> Result<Config, PluginError> {
        let args = self.args.clone();
        // As in kubectl, what is empty is not given: scripts pass variables that may be.
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let choice = Choice {
            file: args.kubeconfig.filter(|file| !file.as_os_str().is_empty()),
            context: given(args.context),
            cluster: given(args.cluster),
            user: given(args.user),
            impersonate: given(args.impersonate),
            impersonate_groups: args.impersonate_groups,
        };
        let mut config = kubeconfig::load(&choice).map_err(|error| PluginError::Kubeconfig(Box::new(error)))?;
        if let Some(exec) = config.auth_info.exec.as_mut().filter(|_| !self.interactive) {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        Ok(config)
    }
}

/// A word as a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A cluster to call.
pub(super) struct Connection {
    client: Client,
    /// The namespace to work in.
    pub(super) namespace: String,
    /// Where the cluster is, for messages.
    pub(super) server: String,
    /// What a command that is recommended needs besides, to be about the same object; begins with a space unless empty.
    pub(super) flags: String,
    limit: Duration,
    /// The kind of login that only kubectl can renew, if it is one.
    auth_provider: Option<String>,
    cluster: Cluster,
}

impl Connection {
    /// The jobs of the namespace.
    pub(super) fn jobs(&self) -> Api<AuditLogReplayJob> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The jobs of the namespace, or of all, readable or not.
    pub(super) fn guarded(&self, all: bool) -> Api<Guarded> {
        if all { Api::all(self.client.clone()) } else { Api::namespaced(self.client.clone(), &self.namespace) }
    }

    /// Waits for a call, as long as it may take.
    pub(super) async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, PluginError> {
        match tokio::time::timeout(self.limit, call).await {
            Ok(answer) => answer.map_err(|error| self.wrong(error)),
            Err(_) => Err(PluginError::Silent { server: self.server.clone(), limit: self.limit }),
        }
    }

    /// One job by its name.
    pub(super) async fn get(&self, name: &str) -> Result<AuditLogReplayJob, PluginError> {
        self.call(self.jobs().get(name)).await
    }

    /// The same cluster after another log-in: what was kept of the first one is no longer taken.
    pub(super) async fn renewed(&self) -> Result<Self, PluginError> {
        self.cluster.connect().await
    }

    pub(super) fn wrong(&self, error: kube::Error) -> PluginError {
        match &self.auth_provider {
            Some(name) if is_unauthorized(&error) => PluginError::AuthProvider { name: name.clone() },
            _ => PluginError::Cluster { error: Box::new(error), server: self.server.clone() },
        }
    }
}

/// Whether the cluster does not know who asks.
pub(super) fn is_unauthorized(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recommended_commands_can_be_pasted() {
        let args = ClusterArgs {
            namespace: Some("audit".to_owned()),
            context: Some("it's prod".to_owned()),
            kubeconfig: Some("/my files/config".into()),
            impersonate: Some("system:serviceaccount:a:b".to_owned()),
            impersonate_groups: vec!["a b".to_owned(), String::new()],
            ..ClusterArgs::default()
        };
        let expected = [
            "",
            "-n audit",
            r"--context 'it'\''s prod'",
            "--kubeconfig '/my files/config'",
            "--as system:serviceaccount:a:b",
            "--as-group 'a b'",
            "--as-group ''",
        ];
        assert_eq!(Cluster::new(&args).flags(), expected.join(" "));
    }
}
