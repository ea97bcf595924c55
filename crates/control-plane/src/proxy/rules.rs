//! The list of rules, what they have hit, and who waits on them. Decides; the waiting and the doing are elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::stream::Command;
use super::{Call, Calls, Event, EventFault, Events, Snapshot};

/// Where in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It has been read, and has had no effect.
    Before,
    /// It has had its effect, and is not answered.
    After,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this status and a Kubernetes `Status` to it, and has no effect.
    Answer(u16),
    /// The same with a `Retry-After`, in seconds.
    AnswerRetryAfter(u16, u32),
    /// It is passed on so much later.
    Delay(Duration),
    /// It stops there until the rule is released or its connection is cut; never, if neither happens. What was held before its
    /// effect has it on release, even if its client has left.
    Hold(Point),
    /// Its connection is closed there, without an answer.
    Cut(Point),
    /// It is answered from the past, if the snapshot has it.
    Stale(Snapshot),
}

/// Names a rule of one proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(u64);

/// How those go on whom a rule held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    Cut,
}

/// A rule of either kind.
struct Rule<Which, What> {
    id: FaultId,
    which: Which,
    what: What,
    left: Option<usize>,
}

/// What is known of a rule, also after its end.
#[derive(Default)]
struct Record {
    hits: usize,
    ended: Option<Verdict>,
}

/// Everything that connections and the handle share.
#[derive(Default)]
pub(super) struct State {
    pub(super) frozen: bool,
    pub(super) calls: Vec<Call>,
    faults: Vec<Rule<Calls, Fault>>,
    events: Vec<Rule<Events, EventFault>>,
    records: BTreeMap<FaultId, Record>,
    streams: BTreeMap<u64, (Call, UnboundedSender<Command>)>,
    last_id: u64,
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn new_record(&mut self) -> FaultId {
        let id = FaultId(self.next_id());
        self.records.insert(id, Record::default());
        id
    }

    pub(super) fn add_fault(&mut self, calls: Calls, fault: Fault) -> FaultId {
        let (id, left) = (self.new_record(), calls.times);
        self.faults.push(Rule { id, which: calls, what: fault, left });
        id
    }

    pub(super) fn add_events(&mut self, events: Events, fault: EventFault) -> FaultId {
        let (id, left) = (self.new_record(), events.times);
        self.events.push(Rule { id, which: events, what: fault, left });
        id
    }

    /// The rule for a call, which counts as hit.
    pub(super) fn hit_by(&mut self, call: &Call) -> Option<(FaultId, Fault)> {
        self.calls.push(call.clone());
        let hit = hit(&mut self.faults, |calls| calls.fits(call))?;
        self.count(hit.0);
        Some(hit)
    }

    /// The rule for an event, which counts as hit.
    pub(super) fn hit_by_event(&mut self, watch: &Call, event: &Event) -> Option<(FaultId, EventFault)> {
        let hit = hit(&mut self.events, |events| events.fits(watch, event))?;
        self.count(hit.0);
        Some(hit)
    }

    fn count(&mut self, id: FaultId) {
        self.records.entry(id).or_default().hits += 1;
    }

    pub(super) fn hits(&self, id: FaultId) -> usize {
        self.records.get(&id).map_or(0, |record| record.hits)
    }

    pub(super) fn end(&mut self, id: FaultId, verdict: Verdict) {
        self.faults.retain(|rule| rule.id != id);
        self.events.retain(|rule| rule.id != id);
        self.records.entry(id).or_default().ended = Some(verdict);
    }

    /// How those go on whom this rule holds; `None` while it does.
    pub(super) fn verdict(&self, id: FaultId) -> Option<Verdict> {
        self.records.get(&id).and_then(|record| record.ended)
    }

    pub(super) fn open_stream(&mut self, watch: Call, commands: UnboundedSender<Command>) -> u64 {
        let id = self.next_id();
        self.streams.insert(id, (watch, commands));
        id
    }

    pub(super) fn close_stream(&mut self, id: u64) {
        self.streams.remove(&id);
    }

    pub(super) fn streams_of(&self, calls: &Calls) -> usize {
        self.streams.values().filter(|(watch, _)| calls.fits(watch)).count()
    }

    /// Tells the open watches of these calls, and how many there are.
    pub(super) fn command(&self, calls: &Calls, command: Command) -> usize {
        let told = self.streams.values().filter(|(watch, _)| calls.fits(watch));
        told.filter(|(_, commands)| commands.send(command).is_ok()).count()
    }
}

fn hit<Which, What: Clone>(rules: &mut [Rule<Which, What>], fits: impl Fn(&Which) -> bool) -> Option<(FaultId, What)> {
    let rule = rules.iter_mut().find(|rule| rule.left != Some(0) && fits(&rule.which))?;
    rule.left = rule.left.map(|left| left.saturating_sub(1));
    Some((rule.id, rule.what.clone()))
}

#[cfg(test)]
mod tests {
    use http::{Method, Uri};

    use super::*;

    #[test]
    fn the_first_rule_that_is_not_used_up_decides() {
        let mut state = State::default();
        let call = Call::new(&Method::GET, &Uri::from_static("/api/v1/namespaces/a/secrets/b"), b"");
        let once = state.add_fault(Calls::any().times(1), Fault::Answer(500));
        let always = state.add_fault(Calls::any().resource("secrets"), Fault::Answer(403));
        let hits: Vec<FaultId> = (0..3).filter_map(|_| state.hit_by(&call)).map(|(id, _)| id).collect();
        assert_eq!(hits, [once, always, always]);
        assert_eq!((state.hits(once), state.hits(always)), (1, 2));
        state.end(always, Verdict::Cut);
        assert!(state.hit_by(&call).is_none());
        assert_eq!((state.verdict(always), state.verdict(once)), (Some(Verdict::Cut), None));
    }
}
