//! What is noted while it happens, because the emulator's list of calls is bounded: when each target was read and asked, and which
//! requests were answered 400 or 404.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use konnect_emulator::{Call, Run, Scope, TargetKey};

use crate::stage::Stage;

/// Notes.
#[derive(Default)]
pub(crate) struct Judge {
    last_call: u64,
    /// Calls that had no answer yet when they were noted.
    open: BTreeSet<u64>,
    gets: BTreeMap<String, Vec<DateTime<Utc>>>,
    puts: BTreeMap<String, Vec<DateTime<Utc>>>,
    answered: BTreeSet<(String, u16)>,
}

impl Judge {
    /// Notes the calls since the last look.
    pub(crate) fn look(&mut self, stage: &Stage) {
        for call in stage.konnect.calls() {
            if call.number > self.last_call {
                self.note(&call);
                self.last_call = call.number;
                self.open.insert(call.number);
            }
            if let Some(status) = call.status
                && self.open.remove(&call.number)
                && let Some(portal) = portal_in(&call.path)
            {
                self.answered.insert((portal.to_owned(), status));
            }
        }
    }

    fn note(&mut self, call: &Call) {
        let Some(portal) = portal_in(&call.path).filter(|_| call.path.ends_with("audit-log-replay-job")) else {
            return;
        };
        let list = if call.method == "PUT" { &mut self.puts } else { &mut self.gets };
        list.entry(portal.to_owned()).or_default().push(call.at);
    }

    /// Whether some call to this target was answered so.
    pub(crate) fn was_answered(&self, target: &TargetKey, status: u16) -> bool {
        self.answered.contains(&(portal_of(target), status))
    }

    /// Whether `stranger` came between the reading and the request of the run that overwrote it: Konnect gives no means to exclude
    /// that, and the README says so.
    pub(crate) fn slipped_in(&self, target: &TargetKey, stranger: &Run, ours: &Run) -> bool {
        let last = |calls: &BTreeMap<String, Vec<DateTime<Utc>>>, until: DateTime<Utc>| {
            calls.get(&portal_of(target))?.iter().rev().find(|at| **at <= until).copied()
        };
        let Some(asked) = last(&self.puts, ours.accepted_at) else { return false };
        let Some(read) = last(&self.gets, asked) else { return false };
        // A reading may lag as much as the storm makes it.
        stranger.accepted_at >= read - TimeDelta::milliseconds(150)
    }
}

fn portal_in(path: &str) -> Option<&str> {
    path.split("/portals/").nth(1)?.split('/').next()
}

fn portal_of(target: &TargetKey) -> String {
    match &target.scope {
        Scope::Portal(id) => id.clone(),
        Scope::Organization => String::new(),
    }
}
