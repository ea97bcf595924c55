//! What can go wrong, named for what was attempted. Each message says what to do where there is
//! something to do.

use std::path::{Path, PathBuf};

/// Why a control plane could not be started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `KUBEBUILDER_ASSETS` is set but a binary is not there. It is not built instead: who sets the
    /// variable means that folder.
    #[error(
        "{name} is missing in {}, the folder that KUBEBUILDER_ASSETS names: put etcd and \
         kube-apiserver there, or unset the variable to have both built from Go modules",
        folder.display()
    )]
    AssetMissing {
        /// The file's name.
        name: &'static str,
        /// The folder that was looked in.
        folder: PathBuf,
    },
    /// Neither prebuilt binaries nor a Go toolchain to build them with.
    #[error(
        "etcd and kube-apiserver are needed, and `{}` could not be run to build them: either \
         install Go {needs} or newer and have it on PATH (the build takes 6 to 7 minutes on 2 \
         cores, once), or set KUBEBUILDER_ASSETS to a folder that holds both (`setup-envtest use \
         -p path` prints one)",
        go.display()
    )]
    NoGo {
        /// The program that was tried.
        go: PathBuf,
        /// The Go version that go.mod asks for.
        needs: String,
        /// Why it did not run.
        source: std::io::Error,
    },
    /// `go build` ran and failed.
    #[error("building {tool} failed ({status}); the end of {}:\n{tail}", log.display())]
    Build {
        /// Which binary.
        tool: &'static str,
        /// How `go build` ended.
        status: std::process::ExitStatus,
        /// Its whole output.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// go.mod lacks a line that the versions are taken from.
    #[error("go.mod names no version for {0}")]
    GoMod(&'static str),
    /// A file or process operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was attempted.
        doing: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A certificate or key could not be made.
    #[error("making a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A client certificate made here carries one group at most.
    #[error("{0} groups were asked for, a client certificate made here carries one: bind the role to the user instead")]
    TooManyGroups(usize),
    /// A server ended by itself.
    #[error("{name} ended ({status}); the end of its log:\n{tail}")]
    Exited {
        /// `etcd` or `kube-apiserver`.
        name: &'static str,
        /// How it ended, as its supervisor reports it: 128 and the number for a signal.
        status: std::process::ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// Something did not come about within its time.
    #[error("waited {seconds} s for {what}; the last answer was: {last}{}", log_section(tail))]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
        /// The last sign of it.
        last: String,
        /// The end of the API server's log; empty where that tells nothing.
        tail: String,
    },
    /// The Kubernetes API refused a call, or could not be reached.
    #[error("{doing}: {source}")]
    Kube {
        /// What was attempted.
        doing: String,
        /// The reason; boxed because it is large.
        source: Box<kube::Error>,
    },
    /// A kubeconfig could not be used.
    #[error("reading a kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// What was to be applied is not a list of Kubernetes objects.
    #[error("document {position} of what was to be applied: {why}")]
    Manifest {
        /// Which document, counted from 1.
        position: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A line of the audit log does not read as an audit event.
    #[error("reading the audit log: {0}")]
    AuditLine(serde_json::Error),
    /// The thread that starts the shared control plane died; its panic is on stderr.
    #[error("the thread that starts the shared control plane panicked")]
    SharedThread,
}

impl Error {
    /// For `map_err`: an I/O error together with what was attempted.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// For `map_err`: a Kubernetes error together with what was attempted.
    pub(crate) fn kube(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Kube { doing, source: Box::new(source) }
    }
}

/// The last `lines` lines of a log file; a sentence in their place if it cannot be read, so that it
/// never hides the first error.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    match std::fs::read(log) {
        Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes), lines),
        Err(error) => format!("(its log could not be read: {error})"),
    }
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

fn log_section(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!("\nthe end of kube-apiserver's log:\n{tail}") }
}
