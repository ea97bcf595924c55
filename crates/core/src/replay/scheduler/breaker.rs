//! A half-open circuit breaker for one base URL. If one account gets no answer, the cause may be its own; a second account opens
//! the breaker. While it is open one job at a time probes the region, and the accounts take turns: else the account with the broken
//! portal would probe for ever. The first answer closes it.

use std::collections::BTreeSet;

use super::keys::{Account, ObjectId};

/// How many accounts must have had no answer, with none in between.
const ACCOUNTS: usize = 2;

/// The accounts without an answer, and the account that probes next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Breaker {
    suspected_by: BTreeSet<Account>,
    /// The account that probes next; after a while any may.
    turn: Option<Account>,
    /// The job that was let through to probe.
    prober: Option<ObjectId>,
}

impl Breaker {
    /// Takes note of a failure of `by`, and that the turn is `next`'s then. Answers whether the region is to be left alone for a
    /// while: when the breaker opens, and when its prober fails. Polls of runs under way fail meanwhile too, and change nothing.
    pub(super) fn failed(&mut self, by: &ObjectId, account: &Account, next: Option<Account>) -> bool {
        let was_open = self.is_open();
        self.suspected_by.insert(account.clone());
        let is_news = if was_open { self.prober.as_ref() == Some(by) } else { self.is_open() };
        if is_news {
            (self.turn, self.prober) = (next, None);
        }
        is_news
    }

    /// Whether only one prober at a time may start.
    pub(super) fn is_open(&self) -> bool {
        self.suspected_by.len() >= ACCOUNTS
    }

    /// Whether `account` is the one to probe.
    pub(super) fn is_turn_of(&self, account: &Account) -> bool {
        self.turn.as_ref().is_none_or(|turn| turn == account)
    }

    /// `who` was let through to probe.
    pub(super) fn probing(&mut self, who: &ObjectId) {
        self.prober = Some(who.clone());
    }
}
