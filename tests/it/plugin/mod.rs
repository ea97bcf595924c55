//! `kubectl replay`: the real binary against the real API server, with the operator and the emulated Konnect behind it.

mod again;
mod arguments;
mod completion;
mod create;
mod kubeconfigs;
mod list;
mod logins;
mod proxies;
mod readme;
mod refusals;
mod status;
mod terminal;
mod trouble;
mod waiting;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::support::{PATIENCE, World};

/// The binary, without this process's environment.
pub fn binary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-replay"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null()).args(args);
    command
}

/// How a run of it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The plugin as somebody runs it in the namespace of a world.
pub struct Plugin {
    kubeconfig: PathBuf,
    namespace: String,
}

impl Plugin {
    /// As somebody who may do anything.
    pub fn of(world: &World) -> Self {
        Self::with(world, world.plane.kubeconfig_for("jane", &["system:masters"]).unwrap())
    }

    pub fn with(world: &World, kubeconfig: PathBuf) -> Self {
        Self { kubeconfig, namespace: world.namespace.clone() }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary(args);
        command.env("KUBECONFIG", &self.kubeconfig).args(["--namespace", &self.namespace]);
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        let command = self.command(args);
        tokio::task::spawn_blocking(|| run(command)).await.unwrap()
    }

    /// The same where nothing is to go wrong; what it printed.
    pub async fn done(&self, args: &[&str]) -> String {
        let ran = self.run(args).await;
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:#?}");
        ran.out
    }

    /// Starts it, to be watched.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = collect(child.stdout.take().unwrap());
        let err = collect(child.stderr.take().unwrap());
        Running { child, out, err }
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

/// A plugin at work. Killed when dropped.
pub struct Running {
    child: Child,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
}

/// What comes out of a pipe or a terminal, until its end.
fn collect(mut from: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut bytes = Vec::new();
        // A terminal whose other end is closed reads as an error.
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
            *sink.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
        }
    });
    text
}

impl Running {
    pub fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    pub fn err(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    /// Waits until it has printed `text`.
    pub async fn prints(&self, text: &str) {
        eventually(
            || self.out().contains(text),
            || format!("{text:?} was not printed:\n{}\n{}", self.out(), self.err()),
        )
        .await;
    }

    /// Sends a signal by name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        let mut ended = None;
        let (child, out) = (&mut self.child, &self.out);
        eventually(
            || {
                ended = child.try_wait().unwrap();
                ended.is_some()
            },
            || format!("it did not end:\n{}", out.lock().unwrap()),
        )
        .await;
        ended.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{}", otherwise());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A time as one types it.
pub fn hours_ago(hours: i64) -> String {
    (Utc::now() - TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The times in `text`, in order.
pub fn times(text: &str) -> Vec<DateTime<Utc>> {
    text.split_whitespace().filter_map(|word| word.trim_matches(['"', ',']).parse().ok()).collect()
}
