//! Where `etcd` and `kube-apiserver` come from: a folder the user names, or a build that is kept.
//! Building itself is `go_build`.

use std::path::{Path, PathBuf};

use crate::go_build::{self, Build};
use crate::go_mod::Versions;
use crate::{Error, Options};

/// The two programs, both of which exist.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
}

impl Binaries {
    /// Finds or builds both. Blocks, for minutes when it has to build.
    pub(crate) fn locate(options: &Options) -> Result<Self, Error> {
        match &options.assets {
            Some(folder) => Self::from_assets(folder),
            None => Self::built(options),
        }
    }

    fn from_assets(folder: &Path) -> Result<Self, Error> {
        let find = |name| {
            let path = folder.join(name);
            if path.is_file() { Ok(path) } else { Err(Error::AssetMissing { name, folder: folder.to_owned() }) }
        };
        Ok(Self { etcd: find("etcd")?, apiserver: find("kube-apiserver")? })
    }

    fn built(options: &Options) -> Result<Self, Error> {
        let versions = Versions::pinned()?;
        let folder = options.build_dir.join(versions.folder());
        let binaries = Self { etcd: folder.join("etcd"), apiserver: folder.join("kube-apiserver") };
        if !binaries.exist() {
            let _lock = go_build::lock(&folder)?;
            Build { go: &options.go, folder: &folder, versions: &versions }.missing()?;
        }
        Ok(binaries)
    }

    fn exist(&self) -> bool {
        self.etcd.is_file() && self.apiserver.is_file()
    }
}
