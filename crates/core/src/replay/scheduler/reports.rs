//! What passes report: failures, answers that show that a failure is over, and how PUTs ended.

use std::collections::BTreeSet;
use std::time::Duration;

use super::backoff::Report;
use super::keys::{Account, Candidate, Key, LaneKey, ObjectId, Route};
use super::{Scheduler, State, Woken};
use crate::konnect::{CallError, Reading, RemoteJob};
use crate::replay::step::WaitCause;

/// What an answer to a GET says about token, target and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The target is known, and shows a run.
    Busy,
    /// The target is known, and shows none.
    Free,
    /// An error, by its HTTP status.
    Status(u16),
    /// None: it did not arrive, or cannot be read.
    Nothing,
}

impl Answer {
    /// What a reading of Konnect's job says.
    pub fn of(what: &Result<Reading<RemoteJob>, CallError>) -> Self {
        match what {
            Ok(reading) if reading.value.status.is_busy() => Self::Busy,
            Ok(_) => Self::Free,
            Err(error) => error.status().map_or(Self::Nothing, Self::Status),
        }
    }
}

impl Scheduler {
    /// `who` found `cause`, and looks again after `wait`.
    pub fn failed(&mut self, who: &Candidate, cause: WaitCause, wait: Duration, now: Duration) -> Woken {
        let moved = self.follow(who, now);
        let (account, access) = (who.route.account().clone(), who.route.access.clone());
        let report = Report { by: &who.id, cause, now, wait };
        let mut lanes = BTreeSet::from([who.route.lane.clone()]);
        match cause {
            WaitCause::Secret | WaitCause::Kubernetes => self.strike(Key::Secret(access.secret), &report),
            WaitCause::Credentials | WaitCause::RateLimit => self.strike(Key::Token(account), &report),
            WaitCause::Permission | WaitCause::Portal | WaitCause::RemoteJob | WaitCause::Rejected => {
                self.strike(Key::Target(access), &report);
            }
            WaitCause::Webhook => self.strike(Key::Webhook(access.asked()), &report),
            WaitCause::Konnect => {
                self.strike(Key::Target(access), &report);
                let next = self.account_after(&account);
                let region = Key::Region(account.base_url.clone());
                if self.has_users(&region) && self.backoff.strike_region(region.clone(), &report, &account, next) {
                    lanes = self.lanes_of(&region);
                }
            }
            WaitCause::Conflict => {
                self.strike(Key::Busy(account), &report);
                self.put_failed(who, &report);
            }
            WaitCause::PutRefused | WaitCause::NotTaken => self.put_failed(who, &report),
            WaitCause::Poll
            | WaitCause::Definition
            | WaitCause::Settle
            | WaitCause::WindowEnd
            | WaitCause::Turn
            | WaitCause::Retry
            | WaitCause::Resting
            | WaitCause::TimeToLive => return moved,
        }
        moved.and(self.examine_all(lanes, Some(&who.id), now))
    }

    /// The version of Konnect's API may have been found in this pass: the job is known by its new route from now on.
    fn follow(&mut self, who: &Candidate, now: Duration) -> Woken {
        let state = self.jobs.get(&who.id).map(|job| job.state);
        state.map(|state| self.set(who, state, now)).unwrap_or_default()
    }

    /// Notes nothing down that no job would wait for.
    fn strike(&mut self, key: Key, report: &Report) {
        if self.has_users(&key) {
            self.backoff.strike(key, report);
        }
    }

    fn has_users(&self, key: &Key) -> bool {
        self.users.contains_key(key)
    }

    fn put_failed(&mut self, who: &Candidate, report: &Report) {
        let key = Key::Put(who.route.access.asked());
        if self.has_users(&key) {
            self.backoff.strike_doubling(key, report, self.retry_interval);
        }
        if let Some(lane) = self.lanes.get_mut(&who.route.lane) {
            lane.put_failed = true;
        }
    }

    /// The Secret of a route holds a token.
    pub fn token_found(&mut self, route: &Route, now: Duration) -> Woken {
        self.over([Key::Secret(route.access.secret.clone())], now)
    }

    /// Konnect answered a GET of a route: what the answer disproves is over.
    pub fn answered(&mut self, route: &Route, answer: Answer, now: Duration) -> Woken {
        let (account, access) = (route.account(), &route.access);
        let (region, token, target) =
            (Key::Region(account.base_url.clone()), Key::Token(account.clone()), Key::Target(access.clone()));
        match answer {
            Answer::Nothing | Answer::Status(500..) => Woken::default(),
            Answer::Status(401 | 429) => self.over([region], now),
            // A run that is still under way ends no entry of its target.
            Answer::Busy if !self.shows_a_run(&target) => self.over([region, token, target], now),
            Answer::Status(_) | Answer::Busy => self.over([region, token], now),
            // The run that was seen has ended, and perhaps with it what other PUTs of the account were refused for.
            Answer::Free if self.shows_a_run(&target) => {
                self.over([region, token, target, Key::Busy(account.clone())], now)
            }
            Answer::Free => self.over([region, token, target], now),
        }
    }

    fn shows_a_run(&self, target: &Key) -> bool {
        self.backoff.found(target).is_some_and(|(cause, _)| cause == WaitCause::RemoteJob)
    }

    /// The webhook of a route is enabled.
    pub fn webhook_enabled(&mut self, route: &Route, now: Duration) -> Woken {
        self.over([Key::Webhook(route.access.asked())], now)
    }

    /// Konnect accepted a PUT of a route: what an earlier PUT found is over, there and for the account.
    pub fn accepted(&mut self, route: &Route, now: Duration) -> Woken {
        let lane = self.lanes.get_mut(&route.lane);
        let had_failed = lane.is_some_and(|lane| std::mem::replace(&mut lane.put_failed, false));
        let over = self.over([Key::Busy(route.account().clone()), Key::Put(route.access.asked())], now);
        // The order of the lane is another one then.
        let lanes = had_failed.then(|| route.lane.clone()).into_iter().collect();
        over.and(self.examine_all(lanes, None, now))
    }

    /// Ends entries of the backoff table. Wakes the jobs whose status speaks of them, and those whose turn it is now.
    fn over<const N: usize>(&mut self, keys: [Key; N], now: Duration) -> Woken {
        let (mut lanes, mut told) = (BTreeSet::new(), BTreeSet::new());
        for key in keys {
            if let Some(of_key) = self.backoff.clear(&key) {
                told.extend(of_key);
                lanes.extend(self.lanes_of(&key));
            }
        }
        if lanes.is_empty() {
            return Woken::default();
        }
        told.retain(|id| self.is_waiting(id));
        Woken(told).and(self.examine_all(lanes, None, now))
    }

    fn is_waiting(&self, id: &ObjectId) -> bool {
        self.jobs.get(id).is_some_and(|job| job.state == State::Waiting)
    }

    fn lanes_of(&self, key: &Key) -> BTreeSet<LaneKey> {
        self.users.get(key).into_iter().flatten().map(|route| route.lane.clone()).collect()
    }

    /// The account whose turn it is to probe a region after `account`: of the next namespace that has a job waiting, round and round, the
    /// account that looked longest ago. Else a tenant with many Secrets would have as many turns.
    fn account_after(&self, account: &Account) -> Option<Account> {
        let region = Key::Region(account.base_url.clone());
        let own = &account.secret.namespace;
        let waiting = self.users.get(&region).into_iter().flatten().filter_map(|route| {
            let group = self.lanes.get(&route.lane)?.groups.get(route).filter(|group| !group.waiting.is_empty())?;
            let (other, namespace) = (route.account(), &route.account().secret.namespace);
            let place = (namespace == own, namespace < own, namespace, group.probed, other);
            (other != account).then_some((place, other))
        });
        waiting.min_by_key(|(place, _)| *place).map(|(_, other)| other.clone())
    }
}
