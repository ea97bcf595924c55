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

/// The sources of the tests, all of them.
fn tests(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| {
        if path.is_dir() { tests(&path) } else { std::fs::read_to_string(path).unwrap() }
    };
    entries.map(text).collect()
}

#[test]
fn each_test_that_the_page_names_is_there_and_each_trap_is_named() {
    let page = include_str!("../../../docs/gitops.md");
    let tests = tests(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"));
    let is_test =
        |word: &&str| word.matches('_').count() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    for name in &named {
        assert!(tests.contains(&format!("fn {name}()")), "docs/gitops.md names {name}, which is no test");
    }
    let traps = include_str!("traps.rs").split("\nasync fn ").skip(1).filter(|rest| rest.contains("() {"));
    for trap in traps.filter_map(|rest| rest.split_once("() {")).map(|(name, _)| name).filter(is_test) {
        assert!(named.contains(&trap), "docs/gitops.md does not name {trap}");
    }
}
