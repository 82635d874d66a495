//! The store against a model, single- and multi-threaded; `check` is for the model checker.
#![allow(clippy::unwrap_used)]

#[cfg(shuttle)]
mod check;
#[cfg(not(shuttle))]
mod drops;
#[cfg(not(shuttle))]
mod edges;
#[cfg(not(shuttle))]
mod model;
#[cfg(not(shuttle))]
mod policy;
mod support;
#[cfg(not(shuttle))]
mod threads;
