//! What the operator costs, and how cost grows: starts a real control plane, an emulated Konnect and the release binary, creates the
//! load, and prints one table of figures with their targets.
//!
//! ```sh
//! cargo bench --bench scale                                  # everything; about half an hour on 2 idle cores
//! cargo bench --bench scale -- memory --finished 0,1000      # one section, at other sizes
//! cargo bench --bench scale -- --operator target/before      # another binary, to compare
//! ```
//!
//! Emulator and fault proxy run in this process, on threads of their own, behind real sockets; control plane and operator are
//! processes. Times depend on the machine and on what else it does, so they are told as ratio to a bare client in the same run where
//! that makes sense, and the load is printed beside them. Counts and memory do not depend on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, unreachable_pub)]

mod args;
mod bare;
mod load;
mod machine;
mod measure;
mod operator;
mod sections;
mod stage;
mod table;

use std::time::Instant;

use args::{Args, Section};
use clap::Parser;
use stage::Stage;
use table::Table;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args = Args::parse();
    let mut table = Table::default();
    let sections = args.sections();
    let stage =
        if sections.iter().any(|section| section.needs_a_cluster()) { Some(Stage::set(&args).await) } else { None };
    for section in sections {
        let began = Instant::now();
        eprintln!("--- {section:?}");
        run(section, stage.as_ref(), &args, &mut table).await;
        eprintln!("    {} s", began.elapsed().as_secs());
    }
    println!("{}\n", machine::describe());
    println!("{table}");
}

async fn run(section: Section, stage: Option<&Stage>, args: &Args, table: &mut Table) {
    if section == Section::Core {
        sections::core::run(table);
    }
    let Some(stage) = stage else { return };
    match section {
        Section::Core => {}
        Section::Size => sections::size::run(stage, table),
        Section::Start => sections::start::run(stage, args, table).await,
        Section::Memory => sections::memory::run(stage, args, table).await,
        Section::Idle => sections::idle::run(stage, args, table).await,
        Section::Latency => sections::latency::run(stage, args, table).await,
        Section::Queue => sections::queue::run(stage, args, table).await,
        Section::Lanes => sections::lanes::run(stage, args, table).await,
        Section::Faults => sections::faults::run(stage, args, table).await,
        Section::Takeover => sections::takeover::run(stage, table).await,
    }
}
