//! What must hold in the end. A violation names the object or the target; what is allowed under the stated assumptions is counted.

use std::collections::{BTreeMap, BTreeSet};

use konnect_emulator::{Run, Status, TargetKey};
use konnect_replay_core::api::ConditionType;

use crate::judge::Judge;
use crate::stage::Stage;
use crate::work::{Item, Work};
use crate::{Result, say};

/// Runs whose end must be lost from view until a job is given up, and one that ended unseen is repeated once.
const SUPERSEDED: usize = 11;
const UNSEEN: usize = 2;

/// The verdict.
#[derive(Default)]
pub(crate) struct Verdict {
    violations: Vec<String>,
    counts: BTreeMap<String, usize>,
}

impl Verdict {
    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    /// Says it.
    pub(crate) fn print(&self) {
        say("Outcome:");
        for (what, count) in &self.counts {
            say(&format!("  {count:>5}  {what}"));
        }
        for violation in &self.violations {
            say(&format!("BROKEN: {violation}"));
        }
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn broken(&mut self, what: String) {
        self.violations.push(what);
    }
}

/// Judges everything.
pub(crate) fn of(stage: &Stage, work: &Work, judge: &Judge) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut runs = BTreeMap::new();
    for target in &stage.targets {
        runs.insert(target, stage.konnect.runs(target)?);
    }
    let delivered: BTreeSet<String> = stage.receiver.events().into_iter().map(|event| event.trace_id).collect();
    for (name, item) in &work.items {
        let all = runs.get(&item.target).map(Vec::as_slice).unwrap_or_default();
        let case = Case { name, item, all, judge, is_delivered: delivered.contains(&item.event) };
        case.end(&mut verdict);
        case.repeats(&mut verdict);
    }
    for (target, all) in &runs {
        overwritten(&mut verdict, judge, target, all);
        verdict.counts.entry("runs at Konnect".to_owned()).and_modify(|n| *n += all.len()).or_insert(all.len());
    }
    *verdict.counts.entry("processes of the operator".to_owned()).or_default() = stage.replicas.started();
    for line in stage.replicas.forbidden_lines()? {
        verdict.broken(format!("a line in a log: {line}"));
    }
    Ok(verdict)
}

fn is_strange(run: &Run) -> bool {
    run.by.ends_with("/somebody-else")
}

/// One object and what Konnect did for it.
struct Case<'a> {
    name: &'a str,
    item: &'a Item,
    /// Every run of its target.
    all: &'a [Run],
    judge: &'a Judge,
    is_delivered: bool,
}

impl Case<'_> {
    fn own(&self) -> Vec<&Run> {
        self.all.iter().filter(|run| !is_strange(run) && self.item.is_its(run.window)).collect()
    }

    fn with_status(&self, status: &Status) -> usize {
        self.own().into_iter().filter(|run| run.status == *status).count()
    }

    fn strangers(&self) -> usize {
        self.all.iter().filter(|run| is_strange(run)).count()
    }

    /// Nothing is lost: each object is Complete and was delivered, or Failed for a reason that the trouble explains.
    fn end(&self, verdict: &mut Verdict) {
        if self.item.deleted {
            return verdict.count("objects deleted by users");
        }
        let (complete, failed) = (self.item.reason(&ConditionType::Complete), self.item.reason(&ConditionType::Failed));
        match (complete, failed) {
            (Some(reason), None) => {
                verdict.count(format!("objects Complete: {reason}"));
                if !self.is_delivered || self.with_status(&Status::Completed) == 0 {
                    verdict.broken(format!("{} is Complete, but was not delivered: {:#?}", self.name, self.own()));
                }
            }
            (None, Some(reason)) => {
                verdict.count(format!("objects Failed: {reason}"));
                if !self.explains(reason) {
                    verdict.broken(format!(
                        "{} is Failed ({reason}), and nothing explains it: {:#?}",
                        self.name, self.item.last
                    ));
                }
            }
            (None, None) => verdict.broken(format!("{} is not finished: {:#?}", self.name, self.item.last)),
            (Some(_), Some(_)) => verdict.broken(format!("{} is both Complete and Failed", self.name)),
        }
    }

    fn explains(&self, reason: &str) -> bool {
        match reason {
            "BackoffLimitExceeded" => {
                let limit = self.item.last.as_ref().map_or(0, |job| job.spec.backoff_limit);
                self.with_status(&Status::Failed) > limit as usize
            }
            "InvalidRequest" => self.judge.was_answered(&self.item.target, 400),
            "PortalNotFound" => self.judge.was_answered(&self.item.target, 404),
            "Superseded" => self.own().len() >= SUPERSEDED && self.strangers() > 0,
            "RemoteStateUnknown" => self.own().len() >= UNSEEN && self.strangers() >= UNSEEN,
            _ => false,
        }
    }

    /// Nothing is doubled: a window was sent again only if the run before failed, or somebody else's stood in its place.
    fn repeats(&self, verdict: &mut Verdict) {
        let own = self.own();
        for (before, after) in own.iter().zip(own.iter().skip(1)) {
            let displaced = |run: &&Run| {
                is_strange(run) && run.accepted_at >= before.accepted_at && run.accepted_at <= after.accepted_at
            };
            if before.status == Status::Failed {
                verdict.count("windows sent again: the run before had failed");
            } else if before.replaced_by.is_some() {
                verdict.count("windows sent again: an outsider had replaced the run before");
            } else if self.all.iter().any(|run| displaced(&run)) {
                verdict.count("windows sent again: an outsider's run hid the end of the run before");
            } else {
                verdict.broken(format!("{} was sent twice: {before:#?} and {after:#?}", self.name));
            }
        }
    }
}

/// Nobody's run is overwritten, ours by ours neither.
fn overwritten(verdict: &mut Verdict, judge: &Judge, target: &TargetKey, all: &[Run]) {
    let by_number: BTreeMap<u64, &Run> = all.iter().map(|run| (run.number, run)).collect();
    for run in all {
        let Some(over) = run.replaced_by.and_then(|number| by_number.get(&number)) else { continue };
        if is_strange(over) {
            verdict.count("runs that an outsider overwrote");
        } else if is_strange(run) && judge.slipped_in(target, run, over) {
            verdict.count("outsiders that slipped in between reading and request (assumption)");
        } else {
            verdict.broken(format!("a run on {target} was overwritten: {run:#?} by {over:#?}"));
        }
    }
}
