//! A terminal with the real kubectl in it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tokio::task::JoinHandle;

use crate::support::{PORTAL, TOKEN};

pub struct Shell {
    kubeconfig: PathBuf,
    /// kubectl keeps what it has learned of an API server under the home folder.
    home: PathBuf,
}

impl Shell {
    /// One whose kubectl talks to that cluster.
    pub fn new(kubeconfig: PathBuf) -> Self {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kubectl-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let shell = Self { kubeconfig, home };
        let version = run(shell.command("kubectl version --client"));
        assert!(
            version.contains("Client Version: "),
            "kubectl is needed (https://kubernetes.io/docs/tasks/tools/): {version}"
        );
        println!("{version}");
        shell
    }

    /// Runs it beside the test; what it prints, errors among it, comes at its end.
    pub fn start(&self, script: &str) -> JoinHandle<String> {
        let command = self.command(script);
        tokio::task::spawn_blocking(|| run(command))
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("exec 2>&1\n{script}")])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KONNECT_TOKEN", TOKEN)
            .env("PORTAL_ID", PORTAL)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn run(mut command: Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}
