//! No clock or randomness enters the core. That no client does is up to its manifest.

use std::fs;
use std::path::{Path, PathBuf};

/// What would make a decision depend on more than its arguments.
const FORBIDDEN: &[&str] = &[
    "async ",
    "Instant",
    "SystemTime",
    "Utc::now",
    "Local::now",
    "rand::",
    "new_v4",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "println!",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_core_mentions_no_clock_no_file_and_no_randomness() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (number, line) in code.enumerate() {
            let word = FORBIDDEN.iter().find(|word| line.contains(**word));
            assert!(word.is_none(), "{}, code line {}: {word:?}", file.display(), number + 1);
        }
    }
}
