//! What can go wrong, in words that say what to do.

use konnect_replay_core::api::{GROUP, Violation};

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum PluginError {
    /// The arguments make no object that the API server would take.
    #[error("{}", listed(.0))]
    Invalid(Vec<Violation>),
    /// The arguments cannot be meant, see the sentence.
    #[error("{0}")]
    Usage(String),
    /// The command makes no sense for the object as it is, see the sentence.
    #[error("{0}")]
    Unfit(String),
    /// No kubeconfig to work with.
    #[error("no cluster to talk to: {}. See --kubeconfig, --context and KUBECONFIG.", chain(.0))]
    Kubeconfig(Box<konnect_replay_kubeconfig::Error>),
    /// The login has expired, and only kubectl can renew it: renewing uses the refresh token up, and kubectl writes the next one into
    /// the kubeconfig.
    #[error(
        "the cluster does not know you (401), and the login by the auth-provider {name} of the kubeconfig is renewed by kubectl \
         alone: run `kubectl get alrj`, then this again; or log in by an exec plugin instead, such as kubelogin"
    )]
    AuthProvider {
        /// Its name, such as `oidc`.
        name: String,
    },
    /// The cluster said no, or nothing.
    #[error("{}", explained(.error, .server))]
    Cluster {
        /// What happened.
        error: Box<kube::Error>,
        /// Where.
        server: String,
    },
    /// The cluster did not answer within `--request-timeout`.
    #[error("the cluster at {server} did not answer within {}", humantime::format_duration(*.limit))]
    Silent {
        /// Where.
        server: String,
        /// How long was waited.
        limit: std::time::Duration,
    },
    /// The terminal, or what replaces it.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// An object could not be written down.
    #[error("cannot print the object: {0}")]
    Print(String),
}

impl PluginError {
    /// 2 where the arguments are to blame, as clap has it; else 1.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::Usage(_) => 2,
            Self::Unfit(_)
            | Self::Kubeconfig(_)
            | Self::AuthProvider { .. }
            | Self::Cluster { .. }
            | Self::Silent { .. }
            | Self::Io(_)
            | Self::Print(_) => 1,
        }
    }

    /// Whether the reader of our output has seen enough, as `head` does.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

fn listed(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
    lines.join("\n")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        Some(cause) if !error.to_string().contains(&cause.to_string()) => format!("{error}: {}", chain(cause)),
        _ => error.to_string(),
    }
}

/// How a call to the cluster failed, and what to do.
pub(super) fn explained(error: &kube::Error, server: &str) -> String {
    match error {
        kube::Error::Api(status) => refused(status),
        kube::Error::Auth(error) => {
            format!("cannot log in to {server}: {}. See the user of this context in the kubeconfig.", chain(error))
        }
        kube::Error::SerdeError(error) => {
            format!("{server} answered with something that is no AuditLogReplayJob: {error}")
        }
        other => {
            let cause = root(other);
            format!("cannot reach the cluster at {server}: {cause}{}", hint(&cause))
        }
    }
}

/// What a failed TLS handshake is most often about.
fn hint(cause: &str) -> &'static str {
    if cause.contains("UnknownIssuer") {
        ". The certificate-authority of the kubeconfig must be the authority that signed the server's certificate, not that certificate"
    } else if cause.contains("CaUsedAsEndEntity") {
        ". The server's certificate is that of an authority (CA:TRUE), which kubectl accepts and this plugin does not"
    } else {
        ""
    }
}

fn refused(status: &kube::core::Status) -> String {
    let message = status.message.as_str();
    match status.code {
        401 => "the cluster does not know you (401): log in again, or see the user of this context in the kubeconfig"
            .to_owned(),
        403 => not_allowed(message),
        404 if status.details.as_ref().is_none_or(|details| details.name.is_empty()) => {
            format!(
                "this cluster does not know AuditLogReplayJobs: install the CRD of {GROUP} first (konnect-replay crd)"
            )
        }
        404 => message.replace(&format!("auditlogreplayjobs.{GROUP}"), "AuditLogReplayJob"),
        422 => invalid(status),
        _ => message.to_owned(),
    }
}

/// RBAC names the right that is missing; an admission policy gives its own reason.
fn not_allowed(message: &str) -> String {
    let said = message.split_once("is forbidden: ").map_or(message, |(_, said)| said);
    if !said.starts_with("User ") {
        return format!("not allowed: {said}");
    }
    format!(
        "not allowed: {said}. Ask an administrator of the cluster for that right, or use another --context or --namespace."
    )
}

fn invalid(status: &kube::core::Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let lines: Vec<String> = causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    if lines.is_empty() { status.message.clone() } else { lines.join("\n") }
}

/// The innermost cause, which says what happened.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
