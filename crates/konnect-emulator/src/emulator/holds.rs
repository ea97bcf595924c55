//! Stopping requests before or after their effect, and letting them go on.

use std::time::Duration;

use super::Emulator;
use crate::Error;
use crate::emulator::Handle;
use crate::hold::{Hold, HoldId, HoldRule, Verdict};
use crate::wait;

/// Hold points.
impl Emulator {
    /// Stops requests at a point, until it is released. The first hold that fits a request takes it.
    pub fn hold(&self, hold: Hold) -> HoldId {
        self.handle.update(|world| world.holds.add(hold))
    }

    /// Waits until a request is held there.
    ///
    /// # Errors
    /// [`Error::Timeout`] when none was within `limit`; [`Error::UnknownHold`].
    pub async fn wait_held(&self, id: HoldId, limit: Duration) -> Result<HoldRule, Error> {
        self.handle.wait_held(id, limit).await
    }

    /// Lets all who are held there go on, and stops nobody any more. What was held before its effect is applied
    /// right after this returns, even if its client has left: a request that was on the wire.
    ///
    /// # Errors
    /// [`Error::UnknownHold`].
    pub fn release(&self, id: HoldId) -> Result<(), Error> {
        self.handle.end_hold(id, Verdict::GoOn)
    }

    /// Lets the one go on that has been held the longest, and keeps the hold for the others and for those to come.
    ///
    /// # Errors
    /// [`Error::UnknownHold`].
    pub fn release_next(&self, id: HoldId) -> Result<(), Error> {
        self.handle.release_next(id)
    }

    /// Ends a hold by closing the connections of all who are held there. What was held before its effect never has one.
    ///
    /// # Errors
    /// [`Error::UnknownHold`].
    pub fn cut_held(&self, id: HoldId) -> Result<(), Error> {
        self.handle.end_hold(id, Verdict::Cut)
    }

    /// Releases every hold.
    pub fn release_all(&self) {
        self.handle.update(|world| world.holds.end_all(Verdict::GoOn));
    }

    /// Every hold there is and was, with the calls that came there.
    pub fn holds(&self) -> Vec<HoldRule> {
        self.handle.shared.read(|world| world.holds.rules())
    }
}

/// The same, shared with the control API.
impl Handle {
    pub(crate) fn hold_rule(&self, id: HoldId) -> Result<HoldRule, Error> {
        self.shared.read(|world| world.holds.rule(id)).ok_or(Error::UnknownHold(id))
    }

    pub(crate) async fn wait_held(&self, id: HoldId, limit: Duration) -> Result<HoldRule, Error> {
        self.hold_rule(id)?;
        let held = || self.hold_rule(id).ok().filter(|rule| rule.held > 0);
        wait::wait_for(self.shared.changes(), limit, held).await
    }

    pub(crate) fn end_hold(&self, id: HoldId, verdict: Verdict) -> Result<(), Error> {
        self.update(|world| world.holds.end(id, verdict)).then_some(()).ok_or(Error::UnknownHold(id))
    }

    pub(crate) fn release_next(&self, id: HoldId) -> Result<(), Error> {
        self.update(|world| world.holds.release_next(id)).then_some(()).ok_or(Error::UnknownHold(id))
    }
}
