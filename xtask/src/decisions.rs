//! The index of decisions: their titles, in order of their numbers.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// The index of the decisions in `folder`, which is to be its README.md.
pub(crate) fn index(folder: &Path) -> io::Result<String> {
    let mut page = "# Decisions\n\nWhat was decided, and why; one file each. The title is the decision.\n\n".to_owned();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_digit())) {
        let text = fs::read_to_string(folder.join(name))?;
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        // Writing into a String cannot fail.
        let _ = writeln!(page, "- [{title}]({name})");
    }
    Ok(page)
}
