//! What to do next: pure functions of what was observed.
//!
//! [`next`] is the whole behaviour of the operator. It is given everything that is known ([`Observed`]) and the installer's
//! settings ([`Policy`]), and answers with the one thing to do next ([`Step`]). The driver, `replay` in the operator, does it,
//! adds what it learned, and asks again.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time, jitter and ids come in as arguments.
//!
//! Reading order:
//!
//! 1. `facts`: what is known. Begin with `observed` (everything) and `job` (the spec, parsed).
//! 2. `decide`: [`next()`], then `prepare` (all that comes before a request to Konnect), `settle` (a request whose outcome is not
//!    known), `follow` (a run under way) and `over` (a run that ended otherwise than completed).
//! 3. `scheduler`: which job starts next.
//! 4. `report`: what the object says of each situation.
//! 5. `course`: one pass, as the driver sees it.

mod course;
mod decide;
mod facts;
mod report;
mod scheduler;
mod step;
#[cfg(test)]
mod tests;

pub use course::{Course, Surroundings};
pub use decide::next::{FirstSight, is_finished, is_under_way, next, reserves};
pub use facts::clock::Clock;
pub use facts::job::{Refusal, Spec, ValidatedJob};
pub use facts::memory::{Memory, PutAnswer};
pub use facts::observed::{Draw, Learned, Observed, Seen, WebhookReading};
pub use facts::own_writes::OwnWrites;
pub use facts::policy::{Policy, Serialize};
pub use facts::said::{ready_reason, says_one_of};
pub use facts::sibling::Sibling;
pub use facts::token::TokenProblem;
pub use facts::version::VersionChoice;
pub use report::change::{Change, End, changes, end, planned_expiry};
pub use report::events;
pub use scheduler::calls::CallLimit;
pub use scheduler::{
    Access, Account, Candidate, Key, LaneKey, ObjectId, Route, Scheduler, SecretRef, TargetKey, Turn, Woken,
};
pub use step::{Step, WaitCause};
