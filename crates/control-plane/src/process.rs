//! A server process that cannot outlive us: started under a small shell supervisor that ends it
//! when our end of a pipe closes, which the kernel does even if we are killed. In a process group
//! of its own, so that Ctrl-C in a terminal reaches us only and we decide. Does not know what it
//! runs.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::tail;

/// The supervisor; see its own comment.
const SUPERVISE: &str = include_str!("supervise.sh");
/// How much of a log goes into an error.
const TAIL_LINES: usize = 15;
/// How long the supervisor may take to end its server, which it does by SIGKILL; a safeguard
/// against a hang, not a wait.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A supervised server. Dropping it ends the server and waits for that.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: &'static str,
    log: PathBuf,
    supervisor: Child,
    pipe: Option<ChildStdin>,
}

impl Supervised {
    /// Starts `program` in the folder `home`, its output in `home/<name>.log`. A log of an earlier
    /// try is replaced.
    pub(crate) fn spawn(name: &'static str, home: &Path, program: &Path, args: &[String]) -> Result<Self, Error> {
        let log = home.join(format!("{name}.log"));
        let (output, errors) = open_twice(&log).map_err(Error::io(format!("creating {}", log.display())))?;
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISE, "supervise"])
            .args([home, program])
            .args(args)
            .current_dir(home)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Error::io(format!("starting sh to supervise {name}")))?;
        let pipe = supervisor.stdin.take();
        Ok(Self { name, log, supervisor, pipe })
    }

    /// An error if the server has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.supervisor.try_wait().map_err(Error::io(format!("looking after {}", self.name)))? {
            None => Ok(()),
            Some(status) => Err(Error::Exited { name: self.name, status, tail: self.tail() }),
        }
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log, TAIL_LINES)
    }

    /// Ends the server and waits until it is gone. By SIGKILL: nothing in it is to be kept, and an
    /// orderly end takes a minute.
    fn stop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"stop\n");
        }
        let deadline = Instant::now() + STOP_WITHIN;
        while matches!(self.supervisor.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                tracing::warn!(server = self.name, "its supervisor did not end in time and is killed");
                let _ = self.supervisor.kill();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
    }
}

fn open_twice(path: &Path) -> std::io::Result<(File, File)> {
    let file = File::create(path)?;
    Ok((file.try_clone()?, file))
}
