//! What has failed, and when it may be retried: one table from [`Key`] to "not before". An entry concerns every job that has the
//! key, and lives no longer than the last of them.
//!
//! What ends an entry depends on what found it. What a GET found is over when a GET no longer finds it. What a PUT found (409, no
//! effect) is over when a PUT is accepted: a GET says nothing about it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::breaker::Breaker;
use super::keys::{Account, Key, ObjectId};
use crate::replay::step::WaitCause;

/// Longest spacing of PUTs at a target where they fail.
pub(super) const LONGEST: Duration = Duration::from_mins(10);

/// One job's report of a failure.
#[derive(Clone, Debug)]
pub(super) struct Report<'a> {
    /// The job.
    pub(super) by: &'a ObjectId,
    /// What it found.
    pub(super) cause: WaitCause,
    /// When, by the process's monotonic clock.
    pub(super) now: Duration,
    /// How long no job is to try again.
    pub(super) wait: Duration,
}

/// A failure that holds up all jobs of a key.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// No job with this key starts before this moment of the process's monotonic clock.
    not_before: Duration,
    cause: WaitCause,
    /// The job whose status says more.
    reporter: ObjectId,
    /// How often in a row.
    strikes: u32,
    /// The jobs whose status speaks of it: they are woken when it is over, so that their status stays true.
    told: BTreeSet<ObjectId>,
    /// Of a region.
    breaker: Option<Breaker>,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Backoff(HashMap<Key, Entry>);

impl Backoff {
    /// Takes note of a failure at `key`.
    pub(super) fn strike(&mut self, key: Key, report: &Report) {
        let Report { by, cause, now, wait } = *report;
        let entry = self.entry(key, report);
        if entry.cause != cause {
            (entry.cause, entry.reporter, entry.strikes) = (cause, by.clone(), 0);
        }
        entry.strikes = entry.strikes.saturating_add(1);
        entry.not_before = now.saturating_add(wait);
    }

    /// The same for a PUT: the wait doubles each time, from `first` to ten minutes. A PUT whose answer was lost has cost the settle
    /// time already: the next one may follow at once.
    pub(super) fn strike_doubling(&mut self, key: Key, report: &Report, first: Duration) {
        let strikes = self.0.get(&key).filter(|entry| entry.cause == report.cause).map_or(0, |entry| entry.strikes);
        let doubled = match strikes.checked_sub(u32::from(report.cause == WaitCause::NotTaken)) {
            None => Duration::ZERO,
            Some(doublings) => first.saturating_mul(1 << doublings.min(16)).min(LONGEST),
        };
        self.strike(key, &Report { wait: report.wait.max(doubled), ..report.clone() });
    }

    /// Takes note that the region did not answer a job of `account`; `next` is the account whose turn it is after that. Answers
    /// whether the region is left alone now.
    pub(super) fn strike_region(
        &mut self,
        key: Key,
        report: &Report,
        account: &Account,
        next: Option<Account>,
    ) -> bool {
        let entry = self.entry(key, report);
        let breaker = entry.breaker.get_or_insert_with(Breaker::default);
        let is_left_alone = breaker.failed(report.by, account, next);
        if is_left_alone {
            entry.not_before = report.now.saturating_add(report.wait);
        }
        is_left_alone
    }

    fn entry(&mut self, key: Key, report: &Report) -> &mut Entry {
        let entry = self.0.entry(key).or_insert_with(|| Entry {
            not_before: report.now,
            cause: report.cause,
            reporter: report.by.clone(),
            strikes: 0,
            told: BTreeSet::new(),
            breaker: None,
        });
        entry.told.insert(report.by.clone());
        entry
    }

    /// Takes note that a failure is over. Answers whose status spoke of it; `None` if there was none.
    pub(super) fn clear(&mut self, key: &Key) -> Option<BTreeSet<ObjectId>> {
        self.0.remove(key).map(|entry| entry.told)
    }

    /// The last job with this key is gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Every key with an entry, for the tests.
    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.keys()
    }

    /// Whether nothing has failed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Until when no job of `account` starts because of `key`. `None` without an entry. When that moment has passed
    /// one job tries again; `grace` is how long the account whose turn it is to probe a region has for that.
    pub(super) fn not_before(&self, key: &Key, account: &Account, grace: Duration) -> Option<Duration> {
        let entry = self.0.get(key)?;
        match &entry.breaker {
            None => Some(entry.not_before),
            Some(breaker) if !breaker.is_open() => None,
            Some(breaker) if breaker.is_turn_of(account) => Some(entry.not_before),
            Some(_) => Some(entry.not_before.saturating_add(grace)),
        }
    }

    /// What was found at `key`, and whose status says more.
    pub(super) fn found(&self, key: &Key) -> Option<(WaitCause, &ObjectId)> {
        self.0.get(key).map(|entry| (entry.cause, &entry.reporter))
    }

    /// `who` probes a region: until `until` no other job does.
    pub(super) fn probing(&mut self, key: &Key, who: &ObjectId, until: Duration) {
        if let Some(entry) = self.0.get_mut(key)
            && let Some(breaker) = &mut entry.breaker
        {
            breaker.probing(who);
            entry.not_before = until;
        }
    }

    /// Takes note that the status of `who` speaks of `key`.
    pub(super) fn told(&mut self, key: &Key, who: &ObjectId) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.told.insert(who.clone());
        }
    }

    /// `who` is gone: another job speaks for what it reported. Without another, it is forgotten, and the next job finds out.
    pub(super) fn gone(&mut self, key: &Key, who: &ObjectId) {
        let Some(entry) = self.0.get_mut(key) else { return };
        entry.told.remove(who);
        match entry.told.first() {
            Some(other) if entry.reporter == *who => entry.reporter = other.clone(),
            Some(_) => {}
            None => self.forget(key),
        }
    }
}
