//! The real binary as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use serde_json::Value;
use tokio::sync::watch;

use super::{Clock, PATIENCE};

/// What it logs unless a test wants something else, in the words of `RUST_LOG`.
const FILTER: &str = "info,konnect_replay=debug,kube=warn,hyper=warn";

/// The binary with these flags, and nothing of this process's environment but the path.
fn command(kubeconfig: &Path, flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konnect-replay"));
    command
        .arg("run")
        .args(flags)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// An operator whose log nobody reads any more. Killed when dropped.
pub struct Unread(Child);

impl Unread {
    /// Starts it, and closes the other ends of its standard output and error.
    pub fn start(kubeconfig: &Path, flags: &[String]) -> Self {
        let mut child = command(kubeconfig, flags).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        Self(child)
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running operator. Killed when dropped.
pub struct Operator {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<usize>,
}

/// Keeps each line that comes out of a pipe.
fn collect(from: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>, tell: watch::Sender<usize>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
            tell.send_modify(|n| *n += 1);
        }
    });
}

impl Operator {
    /// Starts the binary with these flags, and nothing of this process's environment but the path.
    pub fn start(kubeconfig: &Path, flags: &[String]) -> Self {
        Self::start_logging(kubeconfig, flags, FILTER)
    }

    /// As [`Self::start`], going by a clock of the test's.
    pub fn start_by_clock(kubeconfig: &Path, flags: &[String], clock: &Clock) -> Self {
        Self::spawn(command(kubeconfig, flags).env("RUST_LOG", FILTER).envs(clock.environment()))
    }

    /// As [`Self::start`], with a filter of the log.
    pub fn start_logging(kubeconfig: &Path, flags: &[String], filter: &str) -> Self {
        Self::spawn(command(kubeconfig, flags).env("RUST_LOG", filter))
    }

    /// The same, logging what it logs where nobody has set `RUST_LOG`.
    pub fn start_with_default_log(kubeconfig: &Path, flags: &[String]) -> Self {
        Self::spawn(&mut command(kubeconfig, flags))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (tell, changed) = watch::channel(0);
        collect(stdout, Arc::clone(&lines), tell.clone());
        collect(stderr, Arc::clone(&lines), tell);
        Self { child, lines, changed }
    }

    /// What `/metrics` serves to Prometheus.
    pub async fn metrics(&self) -> String {
        let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let (content_type, text) = self.metrics_as("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
        assert_eq!(content_type, open_metrics);
        text
    }

    /// What it serves to a scraper that accepts this, and its content type.
    pub async fn metrics_as(&self, accept: &str) -> (String, String) {
        let request = reqwest::Client::new().get(format!("{}/metrics", self.probes().await));
        let answer = request.header("accept", accept).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, answer.text().await.unwrap())
    }

    /// Waits until `/metrics` has something.
    pub async fn wait_for_metrics<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look(&self.metrics().await) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(late) => panic!("{late}: /metrics never had {what}:\n{}", self.metrics().await),
        }
    }

    /// The evidence records that it has written for the object of that name.
    pub fn evidence(&self, name: &str) -> Vec<Value> {
        let lines = self.log().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        lines.filter(|line| line["target"] == "konnect_replay::evidence" && line["job"]["name"] == name).collect()
    }

    /// Waits for the first of them.
    pub async fn wait_for_evidence(&self, name: &str) -> Value {
        let is_it = |line: &Value| line["target"] == "konnect_replay::evidence" && line["job"]["name"] == name;
        self.wait_for_log("evidence", is_it).await
    }

    /// Everything logged so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a log line, as JSON, that fits.
    pub async fn wait_for_log(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut changed = self.changed.clone();
        let look = async {
            loop {
                changed.borrow_and_update();
                let found =
                    self.log().iter().filter_map(|line| serde_json::from_str(line).ok()).find(|line| fits(line));
                if let Some(line) = found {
                    return Some(line);
                }
                changed.changed().await.ok()?;
            }
        };
        let found = tokio::time::timeout(PATIENCE, look).await.ok().flatten();
        found.unwrap_or_else(|| panic!("the operator did not log {what}:\n{}", self.log().join("\n")))
    }

    /// Waits until it watches, so that what happens next is seen at once.
    pub async fn ready(self) -> Self {
        self.wait_for_log("that it is ready", |line| line["message"] == "ready").await;
        self
    }

    /// Where the probes are.
    pub async fn probes(&self) -> String {
        let line = self.wait_for_log("where it listens", |line| line["message"] == "starting").await;
        format!("http://{}", line["listen"].as_str().unwrap())
    }

    /// What its endpoints and its process show to whoever asks.
    pub fn outlets(&self) -> Vec<(String, String)> {
        let lines = self.log();
        let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let listens =
            said.filter(|line| line["message"] == "starting").find_map(|line| line["listen"].as_str()?.parse().ok());
        super::outlets(self.child.id(), listens)
    }

    /// The most memory it has had resident so far, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Stops it where it is. The signal alone does not: its other threads go on for a moment.
    pub fn pause(&self) {
        self.signal("STOP");
        let pid = Pid::from_child(&self.child);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}:\n{}", self.log().join("\n"));
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "the operator did not end:\n{}", self.log().join("\n"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let outlets = if std::thread::panicking() { Vec::new() } else { self.outlets() };
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the operator\n{}\n---", self.log().join("\n"));
        } else {
            let log = self.log();
            let leak = log.iter().find(|line| super::shows_a_token(line));
            assert!(leak.is_none(), "the operator logged a token: {leak:?}");
            let leak = outlets.iter().find(|(_, text)| super::shows_a_token(text));
            assert!(leak.is_none(), "the operator shows a token: {leak:?}");
            // The last line of a process that was killed may be half of one.
            let whole = log.split_last().map_or(&[][..], |(_, whole)| whole);
            let odd = whole.iter().find(|line| serde_json::from_str::<Value>(line).is_err());
            assert!(odd.is_none(), "the operator logged a line that is no JSON: {odd:?}");
        }
    }
}
