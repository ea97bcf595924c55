//! Renders the chart with a real Helm.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::objects::Objects;

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/konnect-replay");

/// One of the two programs that tests/chart/build-helm builds: the oldest that is supported, and Helm 4. Where they render without a
/// cluster, the first takes it for one of v1.20.0.
#[derive(Clone, Copy, Debug)]
pub struct Helm(&'static str);

impl Helm {
    pub const ALL: [Self; 2] = [Self("helm3"), Self("helm4")];

    /// Runs it with `values` as its standard input.
    pub fn run(self, arguments: &[&str], values: &str) -> Output {
        let mut child = self.command(arguments).spawn().unwrap_or_else(|error| {
            panic!("{} is needed (tests/chart/build-helm target/tools, in the path): {error}", self.0)
        });
        child.stdin.take().unwrap().write_all(values.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Without what the user of this machine has set for Helm or for clusters.
    fn command(self, arguments: &[&str]) -> Command {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-home", self.0));
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(self.0);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// What is to be rendered, and how. `helm template` without a cluster.
pub struct Rendering<'a> {
    chart: &'a Path,
    release: &'a str,
    namespace: &'a str,
    values: &'a str,
    flags: &'a [&'a str],
}

impl<'a> Rendering<'a> {
    /// With these values, as YAML.
    pub fn of(values: &'a str) -> Self {
        Self { chart: Path::new(CHART), release: "rendered", namespace: "matrix", values, flags: &[] }
    }

    pub fn chart(self, chart: &'a Path) -> Self {
        Self { chart, ..self }
    }

    pub fn named(self, release: &'a str, namespace: &'a str) -> Self {
        Self { release, namespace, ..self }
    }

    pub fn flags(self, flags: &'a [&'a str]) -> Self {
        Self { flags, ..self }
    }

    /// The text that Helm prints; an error is what it says.
    pub fn text(&self, helm: Helm) -> Result<String, String> {
        let chart = self.chart.to_str().unwrap();
        let fixed = ["template", self.release, chart, "--namespace", self.namespace, "--values", "-"];
        let output = helm.run(&[&fixed, self.flags].concat(), self.values);
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }

    /// The objects, read strictly.
    pub fn objects(&self, helm: Helm) -> Objects {
        let text = self.text(helm).unwrap_or_else(|said| panic!("{helm:?} does not render {}: {said}", self.values));
        Objects::read(&text).unwrap_or_else(|error| panic!("{helm:?} renders of {}: {error}", self.values))
    }

    /// What is said where it must be refused.
    pub fn refusal(&self, helm: Helm) -> String {
        match self.text(helm) {
            Ok(_) => panic!("{helm:?} accepts {}", self.values),
            Err(said) => said,
        }
    }
}
