//! What is known: the values that decisions are made of. Each file is one of them; nothing here decides what to do.

pub(crate) mod clock;
pub(crate) mod delivery;
pub(crate) mod job;
pub(crate) mod konnects_clock;
pub(crate) mod memory;
pub(crate) mod observed;
pub(crate) mod own_writes;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod retention;
pub(crate) mod said;
pub(crate) mod sibling;
pub(crate) mod token;
pub(crate) mod version;
pub(crate) mod window;
