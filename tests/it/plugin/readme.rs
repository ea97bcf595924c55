//! What docs/plugin.md shows is what the plugin prints, times and names of the day aside.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use konnect_emulator::Status;

use super::Plugin;
use crate::support::World;

const PAGE: &str = include_str!("../../../docs/plugin.md");
const PROMPT: &str = "$ kubectl replay ";

/// Each `kubectl replay` of the page's console blocks, with what the page shows after it.
fn shown() -> Vec<(String, String)> {
    let blocks = PAGE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut shown: Vec<(String, String)> = Vec::new();
    for line in blocks.filter(|block| block.contains(PROMPT)).flat_map(str::lines) {
        match (line.strip_prefix(PROMPT), shown.last_mut()) {
            (Some(command), _) => shown.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => output.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    shown
}

/// What differs from day to day by its kind; spaces that set columns as one.
fn masked(text: &str) -> Vec<String> {
    let mask = |word: &str| {
        let bare = word.trim_matches(['"', ',', '.']);
        if bare.parse::<DateTime<Utc>>().is_ok() {
            word.replace(bare, "TIME")
        } else if word.starts_with("eu-org-2") {
            "NAME".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split_whitespace().map(mask).collect::<Vec<_>>().join(" ");
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// What was printed after each command, to be compared with the page once all is known.
struct Printed<'a> {
    world: &'a World,
    outputs: Vec<String>,
}

impl Printed<'_> {
    /// The page's namespace is that of the context: its commands have no `-n`, so neither have the hints.
    fn add(&mut self, output: &str) {
        self.outputs.push(output.replace(&self.world.namespace, "audit").replace(" -n audit", ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_it_prints() {
    // Long enough that the operator surely looks while a window up to now is too fresh, as it is with the default of 60 s.
    let world = World::builder().flag("--ingest-delay=20s").build().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let plugin = Plugin::of(&world);
    let commands = shown();
    assert_eq!(commands.len(), 8, "docs/plugin.md shows a command that this test does not run: {commands:#?}");
    let mut printed = Printed { world: &world, outputs: Vec::new() };
    let args = |n: usize| commands[n].0.split_whitespace().collect::<Vec<_>>();

    let mut waiting = plugin.start(&args(0));
    for (line, next) in
        [("Accepted: ", Status::Pending), ("RemotePending: ", Status::Running), ("Running: ", Status::Completed)]
    {
        waiting.prints(&format!("Z  {line}")).await;
        world.emulator.advance(&world.portal, next).unwrap();
    }
    assert!(waiting.exit().await.success(), "{}", waiting.out());
    waiting.prints("Completed: ").await;
    printed.add(&waiting.out());
    printed.add(&plugin.done(&args(1)).await);

    let now = Utc::now().trunc_subsecs(0);
    let job = |name: &str, from: i64, to: i64| {
        world.job(name).window(now - TimeDelta::hours(from), now - TimeDelta::hours(to))
    };
    world.create(job("payments-outage", 30, 28)).await;
    world.wait_for_reason("payments-outage", "Accepted").await;
    world.create(job("proxy-outage", 100, 99)).await;
    world.create(job("night-shift", 12, 4)).await;
    world.create(job("rehearsal", 48, 47).suspended()).await;
    world.wait_for_reason("night-shift", "Queued").await;
    world.wait_for_reason("rehearsal", "Suspended").await;
    world.wait("proxy-outage", "next", |job| job.status.as_ref().is_some_and(|s| s.blocked_by.is_some())).await;
    let list = plugin.run(&args(2)).await;
    printed.add(&format!("{}{}", list.out, list.err));
    for n in [3, 4, 5] {
        printed.add(&plugin.done(&args(n)).await);
    }
    let yaml = plugin.run(&args(6)).await;
    let namespace = format!("  namespace: {}\n", world.namespace);
    printed.add(&format!("{}{}", yaml.err, yaml.out.replace(&namespace, "")));
    printed.add(&plugin.done(&args(7)).await);
    let all: Vec<String> = commands
        .iter()
        .zip(&printed.outputs)
        .map(|((command, _), output)| format!("{PROMPT}{command}\n{output}"))
        .collect();
    for ((command, expected), output) in commands.iter().zip(&printed.outputs) {
        let same = masked(output) == masked(expected);
        assert!(same, "docs/plugin.md on {command:?} is not what is printed; all of it:\n{}", all.concat());
    }
}
