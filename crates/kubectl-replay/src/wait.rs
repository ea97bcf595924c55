//! `--wait`: follows one job to its end. A line that is kept up to date where somebody looks, one line per change where not.
//!
//! It only looks: however the waiting ends, the job continues.

use std::io::{IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cluster::{Connection, is_unauthorized};
use super::error::{PluginError, explained};
use super::{Outcome, remark, text};
use konnect_replay_core::api::{AuditLogReplayJob, ConditionType};
use konnect_replay_core::konnect::time;

/// How often the clock of a live line moves.
const TICK: Duration = Duration::from_secs(1);
/// How long an operator may take to look at a new job before it is worth a line that none has.
const UNSEEN_FOR: Duration = Duration::from_secs(10);
/// Width of a terminal that does not tell its own.
const USUAL_WIDTH: usize = 80;

/// Follows `job` until it has finished, for at most `limit`. A login that expires meanwhile is made again.
pub(super) async fn until_finished(
    connection: &Connection,
    job: &AuditLogReplayJob,
    limit: Duration,
) -> Result<Outcome, PluginError> {
    let mut waiting = Waiting {
        name: job.name_any(),
        uid: job.uid(),
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        limit,
        deadline: Instant::now() + limit,
        screen: Screen::new(),
        logged_in: true,
    };
    let mut renewed: Option<Connection> = None;
    loop {
        let connection = renewed.as_ref().unwrap_or(connection);
        match waiting.follow(connection).await? {
            Followed::Ended(outcome) => return Ok(outcome),
            Followed::LoggedOut => match waiting.log_in_again(connection).await? {
                Ok(again) => renewed = Some(again),
                Err(outcome) => return Ok(outcome),
            },
        }
    }
}

/// What there is to know of one waiting.
struct Waiting {
    name: String,
    uid: Option<String>,
    interrupt: Signal,
    terminate: Signal,
    limit: Duration,
    deadline: Instant,
    screen: Screen,
    /// Whether the cluster has known us since the last login.
    logged_in: bool,
}

/// What following a job by one connection came to.
enum Followed {
    /// There is nothing to wait for any more.
    Ended(Outcome),
    /// The cluster no longer knows us, as it did before.
    LoggedOut,
}

impl Waiting {
    async fn follow(&mut self, connection: &Connection) -> Result<Followed, PluginError> {
        let mut versions = pin!(watch_object(connection.jobs(), &self.name).default_backoff());
        let outcome = loop {
            tokio::select! {
                version = versions.next() => {
                    self.logged_in |= matches!(version, Some(Ok(_)));
                    if self.logged_in && is_logged_out(version.as_ref()) {
                        self.logged_in = false;
                        return Ok(Followed::LoggedOut);
                    }
                    let seen = seen(connection, &mut self.screen, version, &self.name, self.uid.as_deref());
                    if let Some(outcome) = seen? {
                        break outcome;
                    }
                }
                () = self.screen.tick() => self.screen.redraw()?,
                () = sleep_until(self.deadline) => break self.timed_out(connection)?,
                _ = self.interrupt.recv() => break interrupted(connection, &mut self.screen, &self.name)?,
                _ = self.terminate.recv() => break interrupted(connection, &mut self.screen, &self.name)?,
            }
        };
        Ok(Followed::Ended(outcome))
    }

    /// A program that logs in may ask the user something, and be left unanswered.
    async fn log_in_again(&mut self, connection: &Connection) -> Result<Result<Connection, Outcome>, PluginError> {
        tokio::select! {
            renewed = connection.renewed() => Ok(Ok(renewed?)),
            () = sleep_until(self.deadline) => Ok(Err(self.timed_out(connection)?)),
            _ = self.interrupt.recv() => Ok(Err(interrupted(connection, &mut self.screen, &self.name)?)),
            _ = self.terminate.recv() => Ok(Err(interrupted(connection, &mut self.screen, &self.name)?)),
        }
    }

    fn timed_out(&mut self, connection: &Connection) -> Result<Outcome, PluginError> {
        self.screen.leave()?;
        remark(&format!(
            "kubectl-replay: {} has not finished within {} ({}). {}",
            self.name,
            humantime::format_duration(self.limit),
            self.screen.state,
            goes_on(connection, &self.name),
        ));
        Ok(Outcome::TimedOut)
    }
}

/// Whether the cluster did not know us: by now, a login that was good when the waiting began may have expired.
fn is_logged_out(version: Option<&Version>) -> bool {
    match version {
        Some(Err(
            watcher::Error::InitialListFailed(cause)
            | watcher::Error::WatchStartFailed(cause)
            | watcher::Error::WatchFailed(cause),
        )) => is_unauthorized(cause),
        Some(Err(watcher::Error::WatchError(status))) => status.code == 401,
        Some(Err(watcher::Error::NoResourceVersion) | Ok(_)) | None => false,
    }
}

fn goes_on(connection: &Connection, name: &str) -> String {
    format!("The job continues; to look again: kubectl replay status {name} --wait{}", connection.flags)
}

fn interrupted(connection: &Connection, screen: &mut Screen, name: &str) -> Result<Outcome, PluginError> {
    screen.leave()?;
    remark(&format!("Stopped waiting. {}", goes_on(connection, name)));
    Ok(Outcome::Interrupted)
}

type Version = watcher::Result<Option<AuditLogReplayJob>>;

/// One more version, or a reason why there is none at the moment.
fn seen(
    connection: &Connection,
    screen: &mut Screen,
    version: Option<Version>,
    name: &str,
    uid: Option<&str>,
) -> Result<Option<Outcome>, PluginError> {
    match version {
        Some(Ok(Some(job))) if job.uid().as_deref() == uid => {
            screen.show(&job)?;
            if !text::holds(&job, &ConditionType::Finished) {
                return Ok(None);
            }
            screen.finish()?;
            let complete = text::holds(&job, &ConditionType::Complete);
            Ok(Some(if complete { Outcome::Done } else { Outcome::Failed }))
        }
        Some(Ok(_)) | None => {
            screen.leave()?;
            Err(PluginError::Unfit(format!("{name} was deleted before it had finished")))
        }
        Some(Err(error)) => match trouble(error, &connection.server) {
            Trouble::Lasting(error) => {
                screen.leave()?;
                Err(connection.wrong(error))
            }
            // The watch continues by itself.
            Trouble::Passing(what) => screen.trouble(&what).map(|()| None),
        },
    }
}

/// Why the watch is interrupted.
enum Trouble {
    /// Another try would not change it.
    Lasting(kube::Error),
    /// It may pass.
    Passing(String),
}

fn trouble(error: watcher::Error, server: &str) -> Trouble {
    let cause = match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => cause,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => return Trouble::Passing(error.to_string()),
    };
    match &cause {
        kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404) => Trouble::Lasting(cause),
        _ => Trouble::Passing(explained(&cause, server)),
    }
}

/// What the user sees of it.
struct Screen {
    live: bool,
    ticks: Interval,
    began: Instant,
    line: String,
    state: String,
    /// What is said if no operator looks at the job.
    unseen: Option<String>,
}

impl Screen {
    fn new() -> Self {
        let live = std::io::stdout().is_terminal();
        let period = if live { TICK } else { UNSEEN_FOR };
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { live, ticks, began: Instant::now(), line: String::new(), state: String::new(), unseen: None }
    }

    async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    fn show(&mut self, job: &AuditLogReplayJob) -> Result<(), PluginError> {
        text::state(job).clone_into(&mut self.state);
        let line = format!("{}: {}", text::state(job), text::message(job));
        // A line of its own only if it lasts: the operator is about to look.
        let soon = !self.live && text::is_unseen(job) && self.began.elapsed() < UNSEEN_FOR;
        if soon {
            self.unseen = Some(line);
            return Ok(());
        }
        self.unseen = None;
        self.put(line)
    }

    fn trouble(&mut self, what: &str) -> Result<(), PluginError> {
        self.put(format!("{what}; tried again"))
    }

    fn put(&mut self, line: String) -> Result<(), PluginError> {
        if self.line == line {
            return Ok(());
        }
        self.line = line;
        if self.live { self.redraw() } else { write(&format!("{}  {}\n", time::format(Utc::now()), self.line)) }
    }

    /// At each tick: the live line anew, cut to the width of the terminal: a line that wraps cannot be taken back.
    fn redraw(&mut self) -> Result<(), PluginError> {
        if !self.live {
            return self.unseen.take().map_or(Ok(()), |line| self.put(line));
        }
        if self.line.is_empty() {
            return Ok(());
        }
        let line = format!("{:>5}  {}", self.elapsed(), self.line);
        write(&format!("\r\x1b[K{}", cut(line, width())))
    }

    /// The last word, in full.
    fn finish(&mut self) -> Result<(), PluginError> {
        if !self.live {
            return Ok(());
        }
        write(&format!("\r\x1b[K{:>5}  {}\n", self.elapsed(), self.line))
    }

    /// Leaves what is seen as it is, and the cursor on a line of its own.
    fn leave(&mut self) -> Result<(), PluginError> {
        if self.live && !self.line.is_empty() { write("\n") } else { Ok(()) }
    }

    fn elapsed(&self) -> String {
        text::brief(chrono::TimeDelta::from_std(self.began.elapsed()).unwrap_or_default())
    }
}

/// As much of `line` as stands in so many columns: some characters take two, some none.
fn cut(line: String, columns: usize) -> String {
    if line.width() <= columns {
        return line;
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(c.width().unwrap_or_default()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

/// Columns of the terminal that standard output is.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH)
}

fn write(text: &str) -> Result<(), PluginError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(PluginError::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_the_columns_that_it_takes() {
        for (line, expected) in [
            ("running", "running"),
            ("1234567890", "1234567890"),
            ("12345678901", "123456789…"),
            ("監査ログ再送", "監査ログ…"),
            ("a監査ログ再", "a監査ログ…"),
            ("監査ログ再", "監査ログ再"),
            ("e\u{301}e\u{301}", "e\u{301}e\u{301}"),
        ] {
            let cut = cut(line.to_owned(), 10);
            assert_eq!(cut, expected);
            assert!(cut.width() <= 10, "{cut}");
        }
        assert_eq!(cut("ab".to_owned(), 0), "…");
    }
}
