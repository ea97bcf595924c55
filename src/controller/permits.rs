//! Rights to call Konnect. One region that is slow must not take every worker, so each has a share of them; who finds none free waits in
//! line, and gets the next in turn. Else those that ask most often would get it, and a new job would wait for the polls of all others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::context::Context;
use crate::replay::ObjectId;

/// How soon to ask again for a right that nobody told of. Whoever waits in line is woken; this is for what gets lost.
pub(super) const RETRY: Duration = Duration::from_secs(5);
/// How long a right is kept for whom it is due. Its pass begins at once, unless all workers are taken or it is gone.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// The rights of all regions.
pub(super) struct Permits {
    share: usize,
    regions: Mutex<HashMap<String, Region>>,
}

impl Permits {
    /// One base URL gets half of the workers at most.
    pub(super) fn new(concurrency: u16) -> Self {
        Self { share: usize::from(concurrency / 2).max(1), regions: Mutex::default() }
    }

    /// Whether `who` has a place in a line.
    pub(super) fn are_awaited_by(&self, who: &ObjectId) -> bool {
        self.lock().values().any(|region| region.line.iter().any(|waiting| waiting.who == *who))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Region>> {
        // Nothing is done under this lock that could panic half-way.
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A right to call, until it is dropped.
pub(super) struct Permit<'a> {
    ctx: &'a Context,
    base_url: String,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let (permits, now) = (&self.ctx.permits, self.ctx.clock().mono);
        let called = permits.lock().get_mut(&self.base_url).map(|region| {
            region.given -= 1;
            region.call(permits.share, now)
        });
        self.ctx.wake_all(called.iter().flatten());
    }
}

impl Context {
    /// A right for `who` to call Konnect at `base_url`. Without one it has a place in the line, and is woken.
    pub(super) fn permit(&self, base_url: &str, who: &ObjectId) -> Option<Permit<'_>> {
        let (share, now) = (self.permits.share, self.clock().mono);
        let (is_given, called) = {
            let mut regions = self.permits.lock();
            let region = regions.entry(base_url.to_owned()).or_default();
            (region.take(share, who, now), region.call(share, now))
        };
        self.wake_all(&called);
        is_given.then(|| Permit { ctx: self, base_url: base_url.to_owned() })
    }
}

#[derive(Default)]
struct Region {
    given: usize,
    line: VecDeque<Waiting>,
}

struct Waiting {
    who: ObjectId,
    /// When it was told that a right is free for it.
    called: Option<Duration>,
}

impl Region {
    /// Gives `who` a right if fewer wait before it than are free, and a place in the line if not.
    fn take(&mut self, share: usize, who: &ObjectId, now: Duration) -> bool {
        self.pass_over_the_absent(now);
        let place = self.line.iter().position(|waiting| waiting.who == *who);
        if place.unwrap_or(self.line.len()) < share - self.given {
            place.map(|place| self.line.remove(place));
            self.given += 1;
            return true;
        }
        if place.is_none() {
            self.line.push_back(Waiting { who: who.clone(), called: None });
        }
        false
    }

    /// Those for whom a right is free and who do not know it yet.
    fn call(&mut self, share: usize, now: Duration) -> Vec<ObjectId> {
        self.pass_over_the_absent(now);
        let due = self.line.iter_mut().take(share - self.given).filter(|waiting| waiting.called.is_none());
        due.map(|waiting| {
            waiting.called = Some(now);
            waiting.who.clone()
        })
        .collect()
    }

    fn pass_over_the_absent(&mut self, now: Duration) {
        self.line.retain(|waiting| waiting.called.is_none_or(|called| now < called + KEPT_FOR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{candidate, context, job};

    const SHARE: usize = 2;
    const START: Duration = Duration::ZERO;

    fn object(name: &str) -> ObjectId {
        ObjectId { namespace: "audit".into(), name: name.into(), uid: name.into() }
    }

    fn takes(region: &mut Region, name: &str) -> bool {
        region.take(SHARE, &object(name), START)
    }

    fn full() -> Region {
        let mut region = Region::default();
        assert!(takes(&mut region, "a") && takes(&mut region, "b"));
        region
    }

    fn call(region: &mut Region, now: Duration) -> Vec<String> {
        region.call(SHARE, now).into_iter().map(|who| who.name).collect()
    }

    #[test]
    fn those_that_wait_get_it_in_turn_however_often_others_ask() {
        let mut region = full();
        for name in ["c", "d", "c", "d", "d"] {
            assert!(!takes(&mut region, name));
        }
        assert!(call(&mut region, START).is_empty());
        region.given -= 1;
        assert_eq!(call(&mut region, START), ["c"]);
        assert!(!takes(&mut region, "a") && !takes(&mut region, "d"), "it is kept for c");
        assert!(call(&mut region, START).is_empty(), "once is enough");
        assert!(takes(&mut region, "c"));
        region.given -= 2;
        assert_eq!(call(&mut region, START), ["d", "a"], "a asked again after d");
        assert!(takes(&mut region, "a") && takes(&mut region, "d"));
        assert!(region.line.is_empty());
    }

    #[test]
    fn whoever_does_not_come_is_passed_over() {
        let mut region = full();
        assert!(!takes(&mut region, "gone") && !takes(&mut region, "next"));
        region.given -= 1;
        assert_eq!(call(&mut region, START), ["gone"]);
        assert!(call(&mut region, KEPT_FOR / 2).is_empty());
        assert_eq!(call(&mut region, KEPT_FOR), ["next"]);
        assert!(!region.take(SHARE, &object("gone"), KEPT_FOR), "it is last again");
        assert!(region.take(SHARE, &object("next"), KEPT_FOR));
    }

    #[test]
    fn one_worker_is_a_share_too() {
        assert_eq!(Permits::new(1).share, 1);
        assert_eq!(Permits::new(16).share, 8);
    }

    #[tokio::test]
    async fn a_right_that_is_given_back_is_the_next_ones() {
        let (ctx, mut woken) = context();
        let who = |n: u32| candidate(&ctx, &job(&format!("job-{n}"), 8));
        let ask = |n: u32| ctx.permit(&who(n).base_url, &who(n).id);
        let mut given: Vec<_> = (0..8).map(|n| ask(n).expect("half of 16")).collect();
        assert!(ask(8).is_none() && ask(9).is_none());
        assert!(ctx.permits.are_awaited_by(&who(8).id) && !ctx.permits.are_awaited_by(&who(7).id));
        assert!(woken.try_recv().is_err(), "nothing is free");
        given.pop();
        assert_eq!(woken.try_recv().unwrap().name, "job-8");
        assert!(ask(9).is_none() && ask(8).is_some());
    }
}
