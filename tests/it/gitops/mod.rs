//! What the tools that apply objects from Git read and do. Reading is done with their own libraries; what they do to the API server is done as they do it:
//! server-side apply under a manager's name, delete, create. The tools themselves do not run here.

mod argocd;
mod flux;
mod traps;

use serde_json::Value;

/// One YAML document of the project.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// A file under deploy/gitops.
fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gitops").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
