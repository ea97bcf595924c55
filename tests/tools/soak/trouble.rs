//! The storm: one trouble at a time, drawn from the sources, and undone in its time. A further source is one more
//! variant of [`Source`] and its function.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use konnect_emulator::{Lag, Outage, Status, TargetKey};
use serde_json::json;

use crate::replicas::REPLICAS;
use crate::stage::{Stage, any_of, token_of};
use crate::work::Work;
use crate::{Result, answers, cluster, say};

/// Where trouble comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Answers of Konnect's that are none.
    Answers,
    /// Konnect itself: lag, runs that hang or fail, webhooks that are off.
    Konnect,
    /// Other people of the organisations, who replay on the same portals.
    Outsiders,
    /// The SIEM.
    Receiver,
    /// The tokens.
    Tokens,
    /// The owners of the objects.
    Users,
    /// The way to the API server.
    Cluster,
    /// The operator's own processes.
    Processes,
}

/// How often each is drawn, beside the others.
const WEIGHTS: [(Source, u32); 8] = [
    (Source::Answers, 55),
    (Source::Konnect, 13),
    (Source::Outsiders, 14),
    (Source::Receiver, 2),
    (Source::Tokens, 4),
    (Source::Users, 11),
    (Source::Cluster, 12),
    (Source::Processes, 3),
];

/// What ends a trouble.
enum Undo {
    NoLag(TargetKey),
    Unstick(TargetKey),
    Webhook(TargetKey),
    Receiver,
    Token(String),
    Resume(String),
    Cluster(cluster::Lasting),
    Continue(usize),
    Start(usize),
}

/// All trouble, past and to be undone.
pub(crate) struct Storm {
    rng: Rng,
    undo: Vec<(Instant, Undo)>,
    tally: BTreeMap<&'static str, usize>,
}

impl Storm {
    /// The storm that this seed makes.
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, undo: Vec::new(), tally: BTreeMap::new() }
    }

    /// Undoes what is due, and makes one more trouble.
    pub(crate) async fn strike(&mut self, stage: &mut Stage, work: &mut Work) -> Result<()> {
        self.undo(stage, work, false).await?;
        let target = any_of(&mut self.rng, &stage.targets)?.clone();
        let what = match self.source() {
            Source::Answers => {
                let (fault, what) = answers::any(&mut self.rng, &target);
                stage.konnect.add_fault(fault);
                Some(what)
            }
            Source::Konnect => Some(self.konnect(stage, &target)?),
            Source::Outsiders => {
                let window = work.next_window(&target);
                // Refused while another run is in the way, as anybody is.
                stage.konnect.foreign_run(&target, window).ok().map(|_| "outsiders: a run of somebody else's")
            }
            Source::Receiver => Some(self.receiver(stage)),
            Source::Tokens => Some(self.token(stage, &target).await?),
            Source::Users => self.user(stage, work).await?,
            Source::Cluster => Some(self.cluster(stage)),
            Source::Processes => Some(self.process(stage)?),
        };
        if let Some(what) = what {
            *self.tally.entry(what).or_default() += 1;
        }
        Ok(())
    }

    /// How long until the next one.
    pub(crate) fn lull(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(50..450))
    }

    /// Undoes everything.
    pub(crate) async fn end(&mut self, stage: &mut Stage, work: &Work) -> Result<()> {
        stage.konnect.clear_faults();
        self.undo(stage, work, true).await?;
        stage.replicas.see_that_both_run()
    }

    /// How many troubles there were.
    pub(crate) fn count(&self) -> usize {
        self.tally.values().sum()
    }

    /// Says what there was.
    pub(crate) fn print(&self) {
        say("Trouble:");
        for (what, count) in &self.tally {
            say(&format!("  {count:>5}  {what}"));
        }
    }

    fn source(&mut self) -> Source {
        let all: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng.u32(..all);
        for (source, weight) in WEIGHTS {
            if drawn < weight {
                return source;
            }
            drawn -= weight;
        }
        Source::Answers
    }

    fn later(&mut self, millis: std::ops::Range<u64>, undo: Undo) {
        let after = Duration::from_millis(self.rng.u64(millis));
        self.undo.push((Instant::now() + after, undo));
    }

    async fn undo(&mut self, stage: &mut Stage, work: &Work, all: bool) -> Result<()> {
        let now = Instant::now();
        let (due, left) = std::mem::take(&mut self.undo).into_iter().partition(|(at, _)| all || *at <= now);
        self.undo = left;
        let due: Vec<(Instant, Undo)> = due;
        for (_, undo) in due {
            match undo {
                Undo::NoLag(target) => stage.konnect.set_get_lag(&target, [])?,
                Undo::Unstick(target) => stage.konnect.set_stuck(&target, [])?,
                Undo::Webhook(target) => stage.enable_webhook(&target)?,
                Undo::Receiver => stage.receiver.set_outage(None),
                Undo::Token(org) => stage.set_token(&org, &token_of(&org)).await?,
                Undo::Resume(name) => work.patch(stage, &name, &json!({ "spec": { "suspend": false } })).await?,
                Undo::Cluster(lasting) => cluster::undo(&stage.proxy, &lasting),
                Undo::Continue(slot) => stage.replicas.signal(slot, "CONT")?,
                Undo::Start(slot) => stage.replicas.see_that_it_runs(slot)?,
            }
        }
        Ok(())
    }

    fn konnect(&mut self, stage: &Stage, target: &TargetKey) -> Result<&'static str> {
        Ok(match self.rng.u8(..5) {
            0 | 1 => {
                // Within --get-lag, which the installer is to set to what Konnect does.
                let lag = Lag::Time(Duration::from_millis(self.rng.u64(10..150)));
                stage.konnect.set_get_lag(target, [lag])?;
                self.later(1000..5000, Undo::NoLag(target.clone()));
                "Konnect: GET lags"
            }
            2 => {
                let word = if self.rng.bool() { Status::Running } else { Status::Pending };
                stage.konnect.set_stuck(target, [word])?;
                self.later(1000..6000, Undo::Unstick(target.clone()));
                "Konnect: a run hangs"
            }
            3 => {
                stage.konnect.fail_next(target, 1)?;
                "Konnect: a run fails"
            }
            _ => {
                stage.konnect.set_webhook(target, None)?;
                self.later(500..3000, Undo::Webhook(target.clone()));
                "Konnect: no webhook"
            }
        })
    }

    fn receiver(&mut self, stage: &Stage) -> &'static str {
        stage.receiver.set_outage(if self.rng.bool() { Outage::Answer(503) } else { Outage::Refuse });
        self.later(200..1500, Undo::Receiver);
        "receiver: an outage"
    }

    async fn token(&mut self, stage: &Stage, target: &TargetKey) -> Result<&'static str> {
        let (token, what) = match self.rng.u8(..2) {
            0 => ("kpat_canary-of-the-soak-that-nobody-knows", "tokens: one that Konnect does not know"),
            _ => ("canary-of-the-soak-that-is-none", "tokens: something that is none"),
        };
        stage.set_token(&target.org, token).await?;
        self.later(500..4000, Undo::Token(target.org.clone()));
        Ok(what)
    }

    async fn user(&mut self, stage: &Stage, work: &mut Work) -> Result<Option<&'static str>> {
        let Some(name) = work.some_unfinished(&mut self.rng) else { return Ok(None) };
        Ok(Some(match self.rng.u8(..6) {
            0 => {
                work.delete(stage, &name).await?;
                "users: an object is deleted"
            }
            1..3 => {
                work.patch(stage, &name, &json!({ "spec": { "suspend": true } })).await?;
                self.later(500..5000, Undo::Resume(name));
                "users: an object is suspended for a while"
            }
            _ => {
                let value = self.rng.u32(..).to_string();
                let annotations = json!({ konnect_replay_core::api::REQUESTED_AT: value });
                work.patch(stage, &name, &json!({ "metadata": { "annotations": annotations } })).await?;
                "users: a try is asked for"
            }
        }))
    }

    fn cluster(&mut self, stage: &Stage) -> &'static str {
        let (what, lasting) = cluster::strike(&stage.proxy, &mut self.rng);
        if let Some(lasting) = lasting {
            self.later(200..2500, Undo::Cluster(lasting));
        }
        what
    }

    fn process(&mut self, stage: &mut Stage) -> Result<&'static str> {
        let slot = self.rng.usize(..REPLICAS);
        Ok(match self.rng.u8(..4) {
            0 | 1 => {
                stage.replicas.signal(slot, "KILL")?;
                self.later(100..3000, Undo::Start(slot));
                "processes: a replica is killed"
            }
            2 => {
                stage.replicas.signal(slot, "TERM")?;
                self.later(1000..4000, Undo::Start(slot));
                "processes: a replica is told to end"
            }
            _ => {
                stage.replicas.signal(slot, "STOP")?;
                // Longer than a lease at times, so that the other takes over and this one wakes up late.
                self.later(1000..22_000, Undo::Continue(slot));
                self.later(23_000..26_000, Undo::Start(slot));
                "processes: a replica is stopped for a while"
            }
        })
    }
}
