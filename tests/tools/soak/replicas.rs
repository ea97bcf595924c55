//! The two replicas of the operator, as processes that can be killed, stopped and told to end. Their logs go to files.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::stage::{CANARY, NAMESPACE};
use crate::{AS_OPERATOR, Result};

/// How many there are.
pub(crate) const REPLICAS: usize = 2;

/// Intervals short enough for a soak, as in the tests.
const FLAGS: [&str; 12] = [
    "run",
    "--poll-interval=300ms",
    "--retry-interval=500ms",
    "--request-timeout=3s",
    "--get-lag=200ms",
    "--ingest-delay=1s",
    "--backoff-base=1s",
    "--listen=127.0.0.1:0",
    "--leader-elect=true",
    "--lease-namespace=konnect-replay",
    "--lease-name=soak",
    "--watch-namespaces=soak",
];

/// The replicas; the place of one that is down is empty.
pub(crate) struct Replicas {
    kubeconfig: PathBuf,
    konnect_url: String,
    logs: PathBuf,
    running: [Option<Child>; REPLICAS],
    started: usize,
}

impl Replicas {
    /// Starts both.
    pub(crate) fn start(kubeconfig: PathBuf, konnect_url: String) -> Result<Self> {
        let logs = std::env::temp_dir().join(format!("konnect-replay-soak-{}", std::process::id()));
        std::fs::create_dir_all(&logs)?;
        let mut replicas = Self { kubeconfig, konnect_url, logs, running: [None, None], started: 0 };
        replicas.see_that_both_run()?;
        Ok(replicas)
    }

    /// Where the logs are.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Starts whichever has ended. One that lost its lease ends by itself, and is started again, as a cluster does it.
    pub(crate) fn see_that_both_run(&mut self) -> Result<()> {
        for slot in 0..REPLICAS {
            self.see_that_it_runs(slot)?;
        }
        Ok(())
    }

    /// Starts one if it has ended.
    pub(crate) fn see_that_it_runs(&mut self, slot: usize) -> Result<()> {
        let (kubeconfig, url, number) = (self.kubeconfig.clone(), self.konnect_url.clone(), self.started);
        let log = OpenOptions::new().create(true).append(true).open(self.logs.join(format!("replica-{slot}.log")))?;
        let Some(place) = self.running.get_mut(slot) else { return Ok(()) };
        let ended = match place {
            Some(child) => child.try_wait()?.is_some(),
            None => true,
        };
        if ended {
            *place = Some(start(&kubeconfig, &url, log, number)?);
            self.started += 1;
        }
        Ok(())
    }

    /// Sends one of them a signal by name; one that has ended gets none.
    pub(crate) fn signal(&mut self, slot: usize, name: &str) -> Result<()> {
        let Some(Some(child)) = self.running.get_mut(slot) else { return Ok(()) };
        if child.try_wait()?.is_none() {
            Command::new("kill").args(["-s", name, &child.id().to_string()]).status()?;
        }
        Ok(())
    }

    /// How many processes there have been.
    pub(crate) fn started(&self) -> usize {
        self.started
    }

    /// Log lines that nobody may ever see: bugs that the operator found in itself, and tokens.
    pub(crate) fn forbidden_lines(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for slot in 0..REPLICAS {
            let text = std::fs::read_to_string(self.logs.join(format!("replica-{slot}.log")))?;
            let forbidden = |line: &&str| line.contains("please report") || line.contains(CANARY);
            found.extend(text.lines().filter(forbidden).take(10).map(str::to_owned));
        }
        Ok(found)
    }

    /// Ends both, and removes their logs if nobody needs them.
    pub(crate) fn leave(mut self, remove_logs: bool) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if remove_logs {
            let _ = std::fs::remove_dir_all(&self.logs);
        }
    }
}

fn start(kubeconfig: &Path, konnect_url: &str, log: File, number: usize) -> Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .arg(AS_OPERATOR)
        .args(FLAGS)
        .arg(format!("--konnect-url={konnect_url}"))
        .env("KUBECONFIG", kubeconfig)
        .env("HOSTNAME", format!("{NAMESPACE}-{number}"))
        .env("RUST_LOG", "info,konnect_replay=debug,kube=warn,hyper=warn")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(child)
}
