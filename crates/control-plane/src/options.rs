//! What a caller may choose, with defaults taken from the environment in one place. Nothing else in
//! the crate reads the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to start a [`ControlPlane`](crate::ControlPlane). `Options::default()` is right for nearly
/// everyone.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder with `etcd` and `kube-apiserver`; `None`: build them. Default:
    /// `KUBEBUILDER_ASSETS`, where set and not empty.
    pub assets: Option<PathBuf>,
    /// The Go command that builds the two when there are no assets. Default: `go`, looked up on
    /// `PATH`.
    pub go: PathBuf,
    /// Where built binaries are kept, in a folder per version. Default: `control-plane` in cargo's
    /// target folder.
    pub build_dir: PathBuf,
    /// Where the control plane's own folder is made. Default: the system's temporary folder.
    pub temp_dir: PathBuf,
    /// How long etcd and the API server may take until ready, without the build. Default: 60 s; it
    /// usually takes 3.
    pub start_timeout: Duration,
    /// API groups whose requests are audited with their bodies (the core group is ""; beware: that
    /// one has the Secrets). Everything else is audited without. Default: `konnect-replay.dev`.
    pub audit_bodies_of: Vec<String>,
    /// More arguments for `kube-apiserver`, after ours, so that they win.
    pub apiserver_args: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            assets: std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty()).map(PathBuf::from),
            go: PathBuf::from("go"),
            build_dir: target_dir(std::env::var_os("CARGO_TARGET_DIR")).join("control-plane"),
            temp_dir: std::env::temp_dir(),
            start_timeout: Duration::from_mins(1),
            audit_bodies_of: vec!["konnect-replay.dev".to_owned()],
            apiserver_args: Vec::new(),
        }
    }
}

/// Cargo's target folder. A relative `CARGO_TARGET_DIR` counts from the workspace's root: cargo
/// runs tests in the package's folder, which is not where the variable was set.
fn target_dir(from_environment: Option<OsString>) -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = crate_dir.ancestors().nth(2).unwrap_or(crate_dir);
    match from_environment.filter(|dir| !dir.is_empty()) {
        Some(dir) => workspace.join(dir),
        None => workspace.join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_the_workspaces_own() {
        let manifest = target_dir(None).join("../crates/control-plane/go.mod");
        assert!(manifest.parent().is_some() && target_dir(None).ends_with("target"));
        assert_eq!(target_dir(Some("/elsewhere".into())), PathBuf::from("/elsewhere"));
        assert_eq!(target_dir(Some("out".into())), target_dir(None).with_file_name("out"));
        assert_eq!(target_dir(Some(String::new().into())), target_dir(None));
    }
}
