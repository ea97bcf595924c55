//! Where the binaries come from when they are not simply there: the errors tell what to do. Starts
//! no control plane and builds nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use control_plane::{ControlPlane, Error, Options};

/// A `go` that is a shell script.
fn fake_go(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("go");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn start_with(folder: &Path, go: PathBuf) -> Error {
    let options = Options { assets: None, go, build_dir: folder.to_owned(), ..Options::default() };
    ControlPlane::start(options).await.unwrap_err()
}

#[tokio::test]
async fn a_folder_of_assets_that_lacks_one_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("etcd"), "").unwrap();
    let options = Options { assets: Some(folder.path().to_owned()), ..Options::default() };
    let error = ControlPlane::start(options).await.unwrap_err().to_string();
    assert!(error.contains("kube-apiserver is missing") && error.contains("unset"), "{error}");
}

#[tokio::test]
async fn neither_go_nor_assets_names_both_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let error = start_with(folder.path(), folder.path().join("no-go-here")).await;
    let text = error.to_string();
    assert!(matches!(error, Error::NoGo { .. }));
    assert!(text.contains("install Go 1.") && text.contains("KUBEBUILDER_ASSETS"), "{text}");
}

#[tokio::test]
async fn a_failed_build_shows_the_end_of_its_output_and_leaves_no_binary() {
    let folder = tempfile::tempdir().unwrap();
    let go = fake_go(folder.path(), "echo no space left >&2; exit 3");
    let error = start_with(folder.path(), go).await;
    assert!(matches!(&error, Error::Build { tool: "etcd", tail, .. } if tail == "no space left"), "{error}");
}

#[tokio::test]
async fn a_build_at_work_keeps_others_waiting_and_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    // Builds servers that end at once, slowly, and counts how often it was asked: `go build ... -o
    // FILE PACKAGE`.
    let script = r#"echo asked >>"$(dirname "$0")/asked"; sleep 0.3; eval "out=\${$(($# - 1))}"; printf '#!/bin/sh\nexit 7\n' >"$out"; chmod +x "$out""#;
    let go = fake_go(folder.path(), script);
    let (one, two) = tokio::join!(start_with(folder.path(), go.clone()), start_with(folder.path(), go));
    for error in [one, two] {
        assert!(matches!(error, Error::Exited { .. }), "{error}");
    }
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 2, "once for each of the two binaries");
}
