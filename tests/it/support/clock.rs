//! A clock that a test sets forward while the operator runs: some waits of the operator are constants of an hour. A small library,
//! built with the C compiler that Rust links with, stands before the one that tells the time.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// The clock of the operators that are started with it.
pub struct Clock {
    path: PathBuf,
    file: File,
    ahead: Duration,
}

impl Clock {
    /// One that is right as yet.
    pub fn new() -> Self {
        let name = format!("clock-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = folder().join(name);
        let file = File::create(&path).unwrap();
        let mut clock = Self { path, file, ahead: Duration::ZERO };
        clock.forward(Duration::ZERO);
        clock
    }

    /// Sets it forward. What the operator sleeps for meanwhile ends as if that time had passed.
    pub fn forward(&mut self, by: Duration) {
        self.ahead += by;
        self.file.seek(SeekFrom::Start(0)).unwrap();
        self.file.write_all(&i64::try_from(self.ahead.as_secs()).unwrap().to_ne_bytes()).unwrap();
    }

    /// What a process must find in its environment to go by this clock.
    pub(super) fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", library()), ("SHIFTED_CLOCK", &self.path)]
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Built when first asked for.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let library = folder().join("libclock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/clock.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        let built = built.unwrap_or_else(|error| panic!("cc is needed to build clock.c: {error}"));
        assert!(built.success(), "cc failed; what it says stands above");
        library
    })
}
