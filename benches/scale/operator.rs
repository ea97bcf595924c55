//! The operator as a process, and what the kernel says of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(2);
/// The kernel counts CPU time in these.
const TICK: Duration = Duration::from_millis(10);
/// A process that uses no CPU for so long has come to rest.
const REST: Duration = Duration::from_secs(1);

/// A running operator. Killed when dropped.
pub struct Operator {
    child: Child,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    pub started: Instant,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
    pub peak: u64,
}

/// How the image sets up the allocator. The environment of the benchmark overrides it.
fn of_the_image() -> impl Iterator<Item = (&'static str, &'static str)> {
    let words = include_str!("../../Dockerfile").lines().find(|line| line.starts_with("ENV MALLOC_"));
    let words = words.expect("Dockerfile sets up the allocator").split(' ').skip(1);
    words.map(|word| word.split_once('=').expect("NAME=VALUE"))
}

impl Operator {
    pub fn start(binary: &Path, kubeconfig: &Path, flags: &[String], log: &str) -> Self {
        let mut child = Command::new(binary)
            .arg("run")
            .args(flags)
            .env_clear()
            .envs(of_the_image())
            .envs(std::env::vars().filter(|(name, _)| name.starts_with("TOKIO_") || name.starts_with("MALLOC_")))
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = child.stdout.take().unwrap();
        std::thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in BufReader::new(log).lines().map_while(Result::ok) {
                    lines.lock().unwrap().push((Instant::now(), line));
                }
            }
        });
        Self { child, lines, started }
    }

    /// Waits for a log line with these words, and says how long after the start it came.
    pub async fn logged(&self, words: &str) -> Duration {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.lines.lock().unwrap().iter().find(|(_, line)| line.contains(words)).map(|(at, _)| *at);
            if let Some(at) = found {
                return at.duration_since(self.started);
            }
            assert!(Instant::now() < deadline, "the operator never said {words:?}: {:?}", self.tail());
            tokio::time::sleep(LOOK).await;
        }
    }

    pub async fn ready(self) -> Self {
        self.logged("\"message\":\"ready\"").await;
        self
    }

    /// How many log lines have these words.
    pub fn lines_with(&self, words: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|(_, line)| line.contains(words)).count()
    }

    pub fn forget_log(&self) {
        self.lines.lock().unwrap().clear();
    }

    fn tail(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().rev().take(5).map(|(_, line)| line.clone()).collect()
    }

    /// When `/readyz` first said yes, after the start.
    pub async fn readyz(&self) -> Duration {
        self.logged("\"message\":\"starting\"").await;
        let line = self.lines.lock().unwrap().iter().find(|(_, line)| line.contains("\"listen\"")).cloned().unwrap().1;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = line["listen"].as_str().unwrap();
        while !says_ok(address).await {
            tokio::time::sleep(LOOK).await;
        }
        self.started.elapsed()
    }

    pub fn memory(&self) -> Memory {
        let text = fs::read_to_string(self.proc("status")).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
        };
        Memory { resident: field("VmRSS:"), anonymous: field("RssAnon:"), peak: field("VmHWM:") }
    }

    /// The peak counts from here on.
    pub fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    /// CPU time used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let text = fs::read_to_string(self.proc("stat")).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        TICK * ticks
    }

    /// CPU time used since so much had been.
    pub fn cpu_since(&self, before: Duration) -> Duration {
        self.cpu().saturating_sub(before)
    }

    /// Waits until it has come to rest, and says when it did, after the start.
    pub async fn at_rest(&self) -> Duration {
        let (mut used, mut since) = (self.cpu(), Instant::now());
        while since.elapsed() < REST {
            tokio::time::sleep(Duration::from_millis(50)).await;
            // A lease is renewed every two seconds, which may take a tick.
            if self.cpu() > used + TICK {
                (used, since) = (self.cpu(), Instant::now());
            }
        }
        since.duration_since(self.started)
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn says_ok(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}
