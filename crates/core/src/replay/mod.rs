//! What to do next: pure functions of what was observed.
//!
//! [`next`] is the whole behaviour of the operator. It is given everything that is known ([`Observed`]) and the installer's
//! settings ([`Policy`]), and answers with the one thing to do next ([`Step`]). The driver, `controller` in the operator, does it,
//! adds what it learned, and asks again.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time, jitter and ids come in as arguments. A test checks
//! that no client enters.
//!
//! Reading order: [`next()`], then `scheduler` (who goes next), `prepare` (all that comes before a request to Konnect), `settle` (a request whose outcome is
//! not known), `follow` (a run under way), `over` (one that ended otherwise than completed), and `report` (what the object says of each situation).

mod ask;
mod change;
mod clock;
mod course;
mod deadline;
mod delivery;
mod duplicate;
mod ending;
pub mod events;
mod failed_call;
mod finding;
mod follow;
mod held_back;
mod job;
mod konnects_clock;
mod memory;
mod next;
mod observed;
mod over;
mod policy;
mod prepare;
mod record;
mod report;
mod retention;
mod said;
mod scheduler;
mod settle;
mod sibling;
mod situation;
mod step;
#[cfg(test)]
mod tests;
mod time_to_live;
mod token;
mod version;
mod wait;
mod window;

pub use change::{Change, End, changes, end, planned_expiry};
pub use clock::Clock;
pub use course::{Course, OwnWrites};
pub use job::{Refusal, ValidatedJob};
pub use memory::{Memory, PutAnswer};
pub use next::{FirstSight, is_finished, is_under_way, next, reserves};
pub use observed::{Draw, Learned, Observed, Seen, WebhookReading};
pub use policy::{Policy, Serialize};
pub use said::{ready_reason, says_one_of};
pub use scheduler::calls::CallLimit;
pub use scheduler::{
    Access, Account, Candidate, Key, LaneKey, ObjectId, Route, Scheduler, SecretRef, TargetKey, Turn, Woken,
};
pub use sibling::{Sibling, replayed_window};
pub use step::{Step, WaitCause};
pub use token::TokenProblem;
pub use version::VersionChoice;
