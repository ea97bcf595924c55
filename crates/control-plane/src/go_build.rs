//! Builds the two servers from the crate's go.mod, once per version, with one process at a time at
//! it and a person kept informed. Does not decide whether to build; `binaries` does.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::error::tail;
use crate::go_mod::Versions;

/// How often a running build says so.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// How often a running build is looked at.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// How much of a failed build's output goes into the error.
const TAIL_LINES: usize = 20;

/// One thing to build.
struct Tool {
    name: &'static str,
    package: &'static str,
    version: String,
    hint: &'static str,
    ldflags: String,
}

/// A build of all that is missing in `folder`.
pub(crate) struct Build<'a> {
    pub(crate) go: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) versions: &'a Versions,
}

/// Takes the folder's build lock, waiting while another process builds. Dropping the file frees it,
/// and so does the process's end.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let doing = || format!("locking {} for the build", folder.display());
    std::fs::create_dir_all(folder).map_err(Error::io(doing()))?;
    let file = File::create(folder.join(".lock")).map_err(Error::io(doing()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(&format!("waiting for another process that builds in {}", folder.display()));
            file.lock().map_err(Error::io(doing()))?;
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::Io { doing: doing(), source });
        }
    }
    Ok(file)
}

impl Build<'_> {
    /// Builds what is not there yet. To be called with the [`lock`] held; another process may just
    /// have finished the same.
    pub(crate) fn missing(&self) -> Result<(), Error> {
        for tool in tools(self.versions) {
            if !self.folder.join(tool.name).is_file() {
                self.one(&tool)?;
            }
        }
        Ok(())
    }

    /// Builds under another name and renames, so that a binary is there whole or not at all.
    fn one(&self, tool: &Tool) -> Result<(), Error> {
        let (partial, log) = (self.path(tool, "partial"), self.path(tool, "log"));
        let started = Instant::now();
        let mut build = self.spawn(tool, &partial, &log)?;
        say(&format!("building {} {} from Go modules{}", tool.name, tool.version, tool.hint));
        let status = wait(&mut build, tool, started)?;
        if !status.success() {
            return Err(Error::Build { tool: tool.name, status, tail: tail(&log, TAIL_LINES), log });
        }
        let put = Error::io(format!("putting {} into place", tool.name));
        std::fs::rename(&partial, self.folder.join(tool.name)).map_err(put)?;
        say(&format!("built {} {} in {} s", tool.name, tool.version, started.elapsed().as_secs()));
        Ok(())
    }

    /// GOFLAGS, GOPROXY and the like are the user's; only a go.work further up is kept out, since
    /// it would hide our go.mod.
    fn spawn(&self, tool: &Tool, partial: &Path, log: &Path) -> Result<Child, Error> {
        let output = File::create(log).map_err(Error::io(format!("creating {}", log.display())))?;
        let errors = output.try_clone().map_err(Error::io("sharing the build's log"))?;
        Command::new(self.go)
            .args(["build", "-mod=readonly", "-ldflags", &tool.ldflags, "-o"])
            .args([partial.as_os_str(), tool.package.as_ref()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("GOWORK", "off")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| Error::NoGo { go: self.go.to_owned(), needs: self.versions.go.clone(), source })
    }

    fn path(&self, tool: &Tool, kind: &str) -> PathBuf {
        self.folder.join(format!(".{}.{kind}", tool.name))
    }
}

fn tools(versions: &Versions) -> [Tool; 2] {
    [
        Tool {
            name: "etcd",
            package: "go.etcd.io/etcd/server/v3",
            version: versions.etcd.clone(),
            hint: "; about a minute, once",
            ldflags: "-s -w".to_owned(),
        },
        Tool {
            name: "kube-apiserver",
            package: "k8s.io/kubernetes/cmd/kube-apiserver",
            version: versions.kubernetes.clone(),
            hint: "; 6 to 7 minutes on 2 cores, once (or set KUBEBUILDER_ASSETS to a folder that has it)",
            ldflags: apiserver_ldflags(versions),
        },
    ]
}

/// Without a version stamped in, the server reports one that clients cannot parse.
fn apiserver_ldflags(versions: &Versions) -> String {
    let set = |name: &str, value: &str| format!(" -X k8s.io/component-base/version.{name}={value}");
    let version =
        set("gitVersion", &versions.kubernetes) + &set("gitMajor", "1") + &set("gitMinor", versions.kubernetes_minor());
    format!("-s -w{version}")
}

/// Waits for `build`, saying how long it has taken at each [`REPORT_EVERY`].
fn wait(build: &mut Child, tool: &Tool, started: Instant) -> Result<ExitStatus, Error> {
    let mut next_report = REPORT_EVERY;
    loop {
        if let Some(status) = build.try_wait().map_err(Error::io("waiting for go build"))? {
            return Ok(status);
        }
        if started.elapsed() >= next_report {
            say(&format!("building {} {}: {} s so far", tool.name, tool.version, next_report.as_secs()));
            next_report += REPORT_EVERY;
        }
        std::thread::sleep(POLL_EVERY);
    }
}

/// A line for the person who waits. Written to stderr itself and not with `eprintln!`, whose output
/// the test harness holds back.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("control-plane: {line}\n").as_bytes());
}
