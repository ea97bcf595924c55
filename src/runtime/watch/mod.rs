//! Watching the objects of one kind, each namespace on its own: what the watch shows fills a store, and each change leads to a pass.

mod arrivals;
mod hooks;
mod listed;
mod refusals;
mod scope;
mod stores;
mod wakers;
mod watches;

#[cfg(test)]
pub(crate) use arrivals::Arrivals;
pub(crate) use hooks::Hooks;
pub(crate) use listed::Listed;
pub(crate) use scope::watch_all;
pub(crate) use stores::Stores;
pub(crate) use watches::Watches;
