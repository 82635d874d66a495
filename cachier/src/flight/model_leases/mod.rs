//! Decisions and flights on a shared store with leases, under the shuttle model checker.
//!
//! Callers of one process carry out what [`decide`](crate::decision::decide) says, on real flights and a plain store, while
//! another process invalidates. Each returned value was computed from what the source held when the call began, or
//! later, unless it could load nothing; in the end nothing outdated is stored; and one refresh runs at a time. Requests may
//! fail. The checker must catch each broken variant.

#![allow(clippy::unwrap_used)]

mod process;
mod store;
mod tests;
mod variant;
