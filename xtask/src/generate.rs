//! The files that are made from the code.

use std::error::Error;
use std::path::Path;
use std::{fs, io};

use konnect_replay::evidence;
use konnect_replay_core::api;

use crate::{configuration, decisions};

/// The chart can only read files of its own folder.
const CHART_FILES: &str = "deploy/helm/konnect-replay/files";

/// Writes all, or compares all.
pub(crate) fn run(check: bool) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the project's folder is not found")?;
    let mut stale = Vec::new();
    for (path, text) in files(root)? {
        let file = root.join(&path);
        if read(&file)?.as_deref() == Some(text.as_str()) {
            continue;
        }
        if check {
            stale.push(path);
        } else {
            fs::write(&file, text).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("out of date: {}; run: cargo xtask generate, then tests/chart/install-yaml", stale.join(", ")).into())
}

/// Each file by its path from the project's folder, and what it has to be.
fn files(root: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let crd = api::crd_yaml()?;
    let mut files = vec![
        ("crds/auditlogreplayjobs.yaml".to_owned(), crd.clone()),
        ("deploy/kustomize/base/crd.yaml".to_owned(), crd.clone()),
        (format!("{CHART_FILES}/crd.yaml"), crd),
        ("docs/api.md".to_owned(), api::reference::markdown()),
        ("docs/configuration.md".to_owned(), configuration::page()),
        ("docs/evidence.schema.json".to_owned(), evidence::schema_json()?),
        ("docs/decisions/README.md".to_owned(), decisions::index(&root.join("docs/decisions"))?),
    ];
    for entry in fs::read_dir(root.join("deploy/monitoring"))? {
        let entry = entry?;
        files.push((
            format!("{CHART_FILES}/{}", entry.file_name().to_string_lossy()),
            fs::read_to_string(entry.path())?,
        ));
    }
    Ok(files)
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}
