//! Trouble on the way to the API server, of which both replicas' calls and watches go through a fault proxy.

use std::time::Duration;

use control_plane::proxy::{Calls, EventFault, Events, Fault, FaultId, FaultProxy, Point, Verb};
use fastrand::Rng;

/// What is to be undone later.
pub(crate) enum Lasting {
    /// Nothing answers.
    Frozen,
    /// A rule about events.
    Rule(FaultId),
}

/// Makes trouble.
pub(crate) fn strike(proxy: &FaultProxy, rng: &mut Rng) -> (&'static str, Option<Lasting>) {
    match rng.u8(..12) {
        0..4 => {
            proxy.fault(some_calls(rng), Fault::Answer(rng.choice([409, 429, 500, 503]).unwrap_or(500)));
            ("API server: a status", None)
        }
        4 => {
            proxy.fault(some_calls(rng), Fault::Cut(Point::Before));
            ("API server: cut before the effect", None)
        }
        5 => {
            proxy.fault(some_calls(rng), Fault::Cut(Point::After));
            ("API server: cut after the effect", None)
        }
        6 => {
            proxy.fault(some_calls(rng), Fault::Delay(Duration::from_millis(rng.u64(100..4000))));
            ("API server: late", None)
        }
        7 => {
            proxy.cut_watches(&watches());
            ("API server: watches are cut", None)
        }
        8 => {
            proxy.expire_watches(&watches());
            ("API server: watches are too old (410)", None)
        }
        9 => {
            let rule = proxy.events(Events::of(watches()).times(5), EventFault::Duplicate);
            ("API server: events come twice", Some(Lasting::Rule(rule)))
        }
        10 => {
            let what = if rng.bool() { EventFault::Hold } else { EventFault::Late };
            ("API server: events come late", Some(Lasting::Rule(proxy.events(Events::of(watches()), what))))
        }
        _ => {
            proxy.freeze();
            ("API server: it freezes", Some(Lasting::Frozen))
        }
    }
}

/// Ends it.
pub(crate) fn undo(proxy: &FaultProxy, lasting: &Lasting) {
    match lasting {
        Lasting::Frozen => proxy.thaw(),
        Lasting::Rule(rule) => proxy.release(*rule),
    }
}

/// Writes of objects mostly, and whatever else is asked.
fn some_calls(rng: &mut Rng) -> Calls {
    let calls = Calls::any().times(rng.usize(1..4));
    match rng.u8(..4) {
        0 | 1 => calls.verb(Verb::Patch).resource("auditlogreplayjobs"),
        2 => calls.verb(Verb::Get).resource("secrets"),
        _ => calls,
    }
}

fn watches() -> Calls {
    Calls::any().resource("auditlogreplayjobs")
}
