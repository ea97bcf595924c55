//! The libraries by which other tools read an object, as programs that answer each line with a line. Built from Go modules once.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub enum Reader {
    /// `sigs.k8s.io/cli-utils`, as Flux and others use it.
    Kstatus,
    /// gopher-lua, the interpreter that Argo CD runs health checks and actions in.
    ArgoCd,
    /// cel-go, the interpreter that Flux runs `healthCheckExprs` in.
    Flux,
    /// The library that both build kustomizations with.
    Kustomize,
}

impl Reader {
    fn program(self) -> &'static str {
        match self {
            Self::Kstatus => "kstatus",
            Self::ArgoCd => "argocd",
            Self::Flux => "flux",
            Self::Kustomize => "kustomize",
        }
    }
}

/// Sends each value as a line, and returns the lines that come back.
pub async fn ask(reader: Reader, lines: Vec<Value>) -> Vec<Value> {
    tokio::task::spawn_blocking(move || ask_program(&programs().join(reader.program()), &lines)).await.unwrap()
}

fn ask_program(program: &Path, lines: &[Value]) -> Vec<Value> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{} failed; what it says stands above", program.display());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The folder with the programs, which are built when first asked for.
fn programs() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers");
        std::fs::create_dir_all(&folder).unwrap();
        let _ = std::io::stderr().write_all(b"building tests/readers from Go modules; one to three minutes, once\n");
        let built = Command::new("go")
            .args(["build", "-mod=readonly", "-o"])
            .arg(&folder)
            .arg("./...")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers"))
            .env("GOWORK", "off")
            .status()
            .unwrap_or_else(|error| panic!("go is needed to build tests/readers, see https://go.dev/dl/: {error}"));
        assert!(built.success(), "go build in tests/readers failed; what it says stands above");
        folder
    })
}
