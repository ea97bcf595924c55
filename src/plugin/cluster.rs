//! The way to the cluster: kubeconfig, namespace, and calls that are bounded and fail in words.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DeserializeGuard;
use kube::{Api, Client, Config};

use super::cli::ClusterArgs;
use super::error::PluginError;
use crate::api::AuditLogReplayJob;

/// An object that may not parse.
pub(super) type Guarded = DeserializeGuard<AuditLogReplayJob>;

/// What the arguments say of the cluster; nothing is read before it is needed, so that printing an object needs no cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    args: ClusterArgs,
}

impl Cluster {
    pub(super) fn new(args: &ClusterArgs) -> Self {
        Self { args: args.clone() }
    }

    /// The namespace that was named, if one was.
    pub(super) fn named_namespace(&self) -> Option<&str> {
        self.args.namespace.as_deref()
    }

    /// Reads the kubeconfig and makes a client. Nothing is called yet.
    pub(super) async fn connect(&self) -> Result<Connection, PluginError> {
        let config = self.config().await?;
        let server = config.cluster_url.to_string();
        let namespace = self.args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let wrong = |error| PluginError::Cluster { error: Box::new(error), server: server.clone() };
        let client = Client::try_from(config).map_err(wrong)?;
        Ok(Connection { client, namespace, server, flags: self.flags(), limit: self.args.request_timeout })
    }

    /// The flags that say which cluster and namespace, as they were given.
    fn flags(&self) -> String {
        let ClusterArgs { namespace, context, kubeconfig, request_timeout: _ } = &self.args;
        let kubeconfig = kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [("-n", namespace), ("--context", context), ("--kubeconfig", &kubeconfig)];
        flags.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", value.as_ref()?))).collect()
    }

    async fn config(&self) -> Result<Config, PluginError> {
        let kubeconfig = match &self.args.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let options = KubeConfigOptions { context: self.args.context.clone(), ..KubeConfigOptions::default() };
        let config = match kubeconfig {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
            // Nothing was named and nothing is there: a pod has its ServiceAccount, as kubectl has it.
            Err(error) if self.args.kubeconfig.is_none() && self.args.context.is_none() => {
                Config::incluster().map_err(|_| error)
            }
            Err(error) => Err(error),
        };
        config.map_err(|error| PluginError::Kubeconfig(Box::new(error)))
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

    pub(super) fn wrong(&self, error: kube::Error) -> PluginError {
        PluginError::Cluster { error: Box::new(error), server: self.server.clone() }
    }
}
