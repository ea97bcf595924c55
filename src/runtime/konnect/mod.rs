//! Calls to Konnect, whichever kind they are for: the permit to call, the token, and the call itself.

mod call;
mod permit;
mod secret;
mod token;

pub(crate) use call::call;
pub(crate) use permit::{Calls, Permit, RETRY, Wake};
pub(crate) use token::read_token;
