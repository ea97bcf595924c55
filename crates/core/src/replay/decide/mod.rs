//! The decision, from [`next()`] downwards: each file is one part of it.

pub(crate) mod ask;
pub(crate) mod deadline;
pub(crate) mod duplicate;
pub(crate) mod ending;
pub(crate) mod failed_call;
pub(crate) mod finding;
pub(crate) mod follow;
pub(crate) mod held_back;
pub(crate) mod next;
pub(crate) mod over;
pub(crate) mod prepare;
pub(crate) mod settle;
pub(crate) mod situation;
pub(crate) mod time_to_live;
pub(crate) mod wait;
