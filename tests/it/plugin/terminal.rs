//! `--wait` where somebody looks: on a real pseudo-terminal.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::process::Stdio;

use konnect_emulator::Status;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Plugin, Running, collect};
use crate::support::{PORTAL, World};

const COLUMNS: u16 = 60;
/// To the start of the line, and clear it.
const REDRAW: &str = "\r\u{1b}[K";

/// The plugin with a terminal as its standard output.
fn start(plugin: &Plugin, args: &[&str]) -> Running {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut child = plugin.command(args).stdout(theirs).stderr(Stdio::piped()).spawn().unwrap();
    let err = collect(child.stderr.take().unwrap());
    Running { child, out: collect(File::from(ours)), err }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_is_kept_up_to_date_and_the_last_word_stands_in_full() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let plugin = Plugin::of(&world);
    let args = ["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h", "--wait"];
    let mut waiting = start(&plugin, &args);
    waiting.prints("Accepted: ").await;
    // Its clock moves although nothing happens.
    let drawn = |out: &str| {
        out.split(REDRAW).filter(|line| line.contains("Accepted: ")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let moves = || drawn(&waiting.out()).len() > 2;
    super::eventually(moves, || waiting.out()).await;
    world.emulator.advance(&world.portal, Status::Completed).unwrap();
    assert!(waiting.exit().await.success(), "{}", waiting.out());
    super::eventually(|| waiting.out().contains("Completed: Konnect"), || waiting.out()).await;

    let out = waiting.out();
    let drawn: Vec<&str> = out.split(REDRAW).skip(1).collect();
    let (last, live) = drawn.split_last().unwrap();
    assert!(live.iter().all(|line| line.chars().count() <= usize::from(COLUMNS) && !line.contains('\n')), "{live:#?}");
    assert!(live.iter().any(|line| line.ends_with('…')), "{live:#?}");
    assert!(last.ends_with("\r\n") && last.chars().count() > usize::from(COLUMNS), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_the_cursor_on_a_line_of_its_own() {
    let world = World::new().await;
    world.emulator.set_manual(&world.portal, true).unwrap();
    let plugin = Plugin::of(&world);
    let mut waiting =
        start(&plugin, &["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h", "--wait"]);
    waiting.prints("Accepted: ").await;
    waiting.signal("INT");
    assert_eq!(waiting.exit().await.code(), Some(130));
    super::eventually(|| waiting.out().ends_with("\r\n"), || format!("{:?}", waiting.out())).await;
    assert!(world.get("outage").await.metadata.deletion_timestamp.is_none());
}

/// As in `kubectl replay create … --wait | head -1`: the code must not say that the job has completed, for it has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_leaves_is_no_success_for_who_waits() {
    let world = World::builder().without_operator().build().await;
    let plugin = Plugin::of(&world);
    let closed_after_a_line = async |args: &[&str]| {
        let mut child = plugin.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::with_capacity(16, child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        drop(out);
        tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap()
    };
    let create = ["create", "outage", "--region", "eu", "--portal", PORTAL, "--last", "1h"];
    assert_eq!(closed_after_a_line(&[&create[..], &["--wait", "--timeout", "2m"]].concat()).await, Some(141));
}
