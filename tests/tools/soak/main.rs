//! Random trouble for as long as you like: `cargo test --test soak -- --minutes 30 --seed 7`.
//!
//! A real API server, an emulated Konnect and two replicas of the operator with leader election; 200 objects at a time, on 60
//! portals. While they are worked on, Konnect answers nonsense, cuts, hangs and lags, other people replay on the same portals, the
//! receiver and the tokens fail, the API server refuses, cuts and freezes, replicas are killed, stopped and told to end, and users delete, suspend and hurry objects. Then it
//! all ends, and what must hold is checked: every object is finished, each Complete one was delivered, each Failed one failed for
//! a reason that the trouble explains, no window was sent again without a reason, and nobody's run was overwritten.
//!
//! The seed decides which trouble comes and in which order, not how threads and processes interleave.

mod answers;
mod cluster;
mod judge;
mod replicas;
mod stage;
mod trouble;
mod verdict;
mod work;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use judge::Judge;
use stage::Stage;
use trouble::Storm;
use work::Work;

/// Errors of the soak are told to a person and nobody else.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The word by which this program starts itself once more, as the operator.
const AS_OPERATOR: &str = "as-operator";
/// How long it takes at most until everything is finished once the trouble has ended: the longest waits that are left are a minute's
/// spacing of retries, a lease that runs out, and a settle time for each object of a lane.
const CALM: Duration = Duration::from_mins(10);
/// Spacing of lines about how far it is.
const NEWS: Duration = Duration::from_secs(15);

/// Random trouble for the operator, and a verdict.
#[derive(Parser)]
struct Args {
    /// How long the trouble lasts; what is left is finished after it.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Which trouble; random where not given, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many unfinished objects there are at any moment of the trouble.
    #[arg(long, default_value_t = 200)]
    objects: usize,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.by_ref().nth(1).is_some_and(|arg| arg == AS_OPERATOR) {
        return konnect_replay::program::main(std::iter::once("konnect-replay".into()).chain(args));
    }
    let args = Args::parse();
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("\nThe soak could not be carried out: {error}"));
            ExitCode::from(2)
        }
    }
}

/// One line. A reader who has closed the pipe is not an error.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Whether everything held.
async fn run(args: &Args) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    say(&format!("seed {seed}: {} minutes of trouble, {} objects at a time", args.minutes, args.objects));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::assemble(&mut rng).await?;
    say(&format!("logs of the replicas: {}", stage.replicas.logs().display()));
    let outcome = tokio::select! {
        outcome = soak(args, &mut stage, rng) => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    if let Ok(held) = &outcome {
        say(&format!("\nseed {seed}: {}", if *held { "everything held" } else { "BROKEN, see above" }));
    }
    stage.leave(matches!(outcome, Ok(true))).await;
    outcome
}

async fn soak(args: &Args, stage: &mut Stage, rng: fastrand::Rng) -> Result<bool> {
    let (mut storm, mut judge, mut work) = (Storm::new(rng), Judge::default(), Work::default());
    work.fill(stage, args.objects).await?;
    let began = Instant::now();
    let ends = began + Duration::from_secs_f64(args.minutes * 60.0);
    let mut news = began;
    while Instant::now() < ends {
        work.look(stage).await?;
        work.fill(stage, args.objects).await?;
        for _ in 0..4 {
            storm.strike(stage, &mut work).await?;
            tokio::time::sleep(storm.lull()).await;
        }
        judge.look(stage);
        if news.elapsed() >= NEWS {
            // One that lost its lease has ended by itself, and a cluster starts it again.
            stage.replicas.see_that_both_run()?;
        }
        tell(&mut news, began, "trouble", &work, &storm);
    }
    storm.end(stage, &work).await?;
    let calm = Instant::now();
    while work.unfinished() > 0 && calm.elapsed() < CALM {
        tokio::time::sleep(Duration::from_secs(1)).await;
        work.look(stage).await?;
        judge.look(stage);
        stage.replicas.see_that_both_run()?;
        tell(&mut news, began, "calm", &work, &storm);
    }
    judge.look(stage);
    say(&format!(
        "\n{:.0} s of trouble, then {:.0} s until all was finished",
        args.minutes * 60.0,
        calm.elapsed().as_secs_f64()
    ));
    storm.print();
    let verdict = verdict::of(stage, &work, &judge)?;
    verdict.print();
    Ok(verdict.holds())
}

fn tell(news: &mut Instant, began: Instant, phase: &str, work: &Work, storm: &Storm) {
    if news.elapsed() >= NEWS {
        *news = Instant::now();
        let seconds = began.elapsed().as_secs();
        say(&format!(
            "{:>3}:{:02} {phase}: {} of {} objects finished; {} troubles so far",
            seconds / 60,
            seconds % 60,
            work.finished(),
            work.made(),
            storm.count()
        ));
    }
}
