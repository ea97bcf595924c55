//! What is measured, and at which sizes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// What the operator costs, and how cost grows.
#[derive(Debug, Parser)]
pub struct Args {
    /// What to measure; everything if not given
    #[arg(value_enum)]
    sections: Vec<Section>,

    /// Numbers of finished objects at which memory is measured
    #[arg(long, value_delimiter = ',', default_value = "0,1000,10000,50000")]
    pub finished: Vec<usize>,

    /// Numbers of objects that wait in one lane
    #[arg(long, value_delimiter = ',', default_value = "1,100,10000")]
    pub queued: Vec<usize>,

    /// Samples of each latency
    #[arg(long, default_value_t = 200)]
    pub samples: usize,

    /// Lanes, and objects in all of them together, of the load that comes as fast as the apiserver takes it
    #[arg(long, num_args = 2, value_names = ["LANES", "OBJECTS"], default_values_t = [100, 1000])]
    pub burst: Vec<usize>,

    /// How long something is watched of which so much an hour is to be told
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    pub watch: Duration,

    /// Another binary of the operator than the one this workspace builds
    #[arg(long)]
    pub operator: Option<PathBuf>,

    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    pub fn sections(&self) -> Vec<Section> {
        if self.sections.is_empty() { Section::value_variants().to_vec() } else { self.sections.clone() }
    }
}

/// A part that can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Decisions and lanes, in this process
    Core,
    /// The binary
    Size,
    /// From start to ready, and to leader
    Start,
    /// Memory with many finished objects, at start and when the watch has to list again; what a restart costs
    Memory,
    /// Requests while nothing happens
    Idle,
    /// From creation to request, from Konnect's end to ours, from one job to the next, beside a bare client
    Latency,
    /// Ten thousand waiting in one lane
    Queue,
    /// As many objects as the apiserver takes, in many lanes
    Lanes,
    /// Lasting 409, Konnect down, apiserver at its limit
    Faults,
    /// kill -9 of the leader
    Takeover,
}

impl Section {
    pub fn needs_a_cluster(self) -> bool {
        self != Self::Core
    }
}
