//! How large the binary is.

use crate::stage::Stage;
use crate::table::{Table, megabytes};

const TARGET: u64 = 9_000_000;

pub fn run(stage: &Stage, table: &mut Table) {
    let bytes = std::fs::metadata(&stage.binary).unwrap().len();
    table.judged("release binary", "9 MB", megabytes(bytes), bytes <= TARGET);
}
