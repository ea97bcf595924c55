//! What all passes over jobs share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::kept::Kept;
use crate::runtime::pass::Keeper;
use crate::runtime::shared::Shared;
use crate::runtime::watch::Watches;
use konnect_replay_core::api::AuditLogReplayJob;
use konnect_replay_core::replay::{Clock, Course, Memory, Policy, Scheduler, Surroundings, Woken};

/// What all passes over jobs share.
pub(super) struct Context {
    /// What the passes of all kinds share.
    pub(super) shared: Arc<Shared>,
    /// What the watches of jobs fill and wake.
    pub(super) watches: Watches<AuditLogReplayJob>,
    /// What is kept of each job between passes.
    pub(super) keeper: Keeper<Kept>,
    scheduler: Mutex<Scheduler>,
}

impl Context {
    /// No job is known yet.
    pub(super) fn new(shared: Arc<Shared>, watches: Watches<AuditLogReplayJob>) -> Self {
        let scheduler = Mutex::new(Scheduler::new(&shared.config.policy));
        Self { shared, watches, keeper: Keeper::default(), scheduler }
    }

    /// The installer's settings that decide.
    pub(super) fn policy(&self) -> &Policy {
        &self.shared.config.policy
    }

    /// Now, by both clocks.
    pub(super) fn clock(&self) -> Clock {
        self.shared.clock()
    }

    /// Which job starts next.
    pub(super) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        // Nothing is done under this lock that could panic half-way.
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pass over `watched` begins.
    pub(super) fn begin(&self, watched: &AuditLogReplayJob, memory: Memory) -> Course {
        self.around(|around| Course::begin(watched, memory, around))
    }

    /// Reports to the scheduler what a pass found, and requeues the jobs whose turn may have come.
    pub(super) fn report(&self, found: impl FnOnce(&mut Surroundings) -> Woken) {
        self.around(|around| ((), found(around)));
    }

    /// Does `work` with the scheduler locked, then requeues the jobs that it woke.
    fn around<T>(&self, work: impl FnOnce(&mut Surroundings) -> (T, Woken)) -> T {
        let mut scheduler = self.scheduler();
        let mut around = Surroundings { policy: self.policy(), scheduler: &mut scheduler, clock: self.clock() };
        let (outcome, woken) = work(&mut around);
        drop(scheduler);
        self.wake_all(woken);
        outcome
    }

    /// Requeues the jobs whose turn may have come.
    pub(super) fn wake_all(&self, woken: Woken) {
        self.watches.wakers.wake_all(woken);
    }
}
