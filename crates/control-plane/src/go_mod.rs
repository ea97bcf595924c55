//! The versions of what is built, read from the crate's go.mod, which is the one place that names
//! them.

use crate::Error;

/// The text of go.mod, as of when this crate was compiled.
const GO_MOD: &str = include_str!("../go.mod");

/// What go.mod pins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Of `k8s.io/kubernetes`, such as `v1.37.2`.
    pub(crate) kubernetes: String,
    /// Of `go.etcd.io/etcd/server/v3`, such as `v3.7.0`.
    pub(crate) etcd: String,
    /// The Go version that go.mod asks for, such as `1.26.0`.
    pub(crate) go: String,
}

impl Versions {
    /// The versions that this crate builds.
    pub(crate) fn pinned() -> Result<Self, Error> {
        Self::parse(GO_MOD)
    }

    fn parse(go_mod: &str) -> Result<Self, Error> {
        let of = |module| version_of(go_mod, module).ok_or(Error::GoMod(module));
        Ok(Self { kubernetes: of("k8s.io/kubernetes")?, etcd: of("go.etcd.io/etcd/server/v3")?, go: of("go")? })
    }

    /// The minor of the Kubernetes version, `37` of `v1.37.2`: component-base wants it apart.
    pub(crate) fn kubernetes_minor(&self) -> &str {
        self.kubernetes.split('.').nth(1).unwrap_or_default()
    }

    /// A folder's name that changes when any of what is built does.
    pub(crate) fn folder(&self) -> String {
        format!("{}-etcd-{}", self.kubernetes, self.etcd)
    }
}

/// The word after `module`, from a line within `require (...)` or of its own. A `tool` line has no
/// version, a `replace` line an arrow.
fn version_of(go_mod: &str, module: &str) -> Option<String> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        let version = words.next().filter(|word| *word == module).and(words.next())?;
        version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_read_from_either_form_of_require() {
        let text = "module m\ngo 1.26.0\nrequire k8s.io/kubernetes v1.37.2\nrequire (\n\tgo.etcd.io/etcd/server/v3 v3.7.0 // indirect\n)\n";
        let versions = Versions::parse(text).unwrap();
        assert_eq!(versions.folder(), "v1.37.2-etcd-v3.7.0");
        assert_eq!((versions.kubernetes_minor(), versions.go.as_str()), ("37", "1.26.0"));
    }

    #[test]
    fn tool_and_replace_lines_are_no_versions() {
        let text = "go 1.26.0\ntool k8s.io/kubernetes\nreplace (\n\tk8s.io/kubernetes => ../k\n)\n";
        assert!(matches!(Versions::parse(text), Err(Error::GoMod("k8s.io/kubernetes"))));
    }

    #[test]
    fn our_own_go_mod_pins_everything() {
        assert!(Versions::pinned().unwrap().kubernetes.starts_with("v1."));
    }
}
