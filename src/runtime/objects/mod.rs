//! Objects of any kind: how they are read, kept in memory and written.

mod api;
mod error;
mod guarded;
mod kind;
mod metadata;
mod status_patch;
mod whole;

pub(crate) use api::{Objects, is_served};
pub(crate) use error::{KubeError, ListError, bounded, brief, is_refusal, may_pass};
pub(crate) use guarded::Guarded;
pub(crate) use kind::Kind;
pub(crate) use metadata::slimmed;
pub(crate) use status_patch::FIELD_MANAGER;
pub(crate) use whole::Whole;
