//! What the backends of networked stores share: where their I/O runs, and what they count and announce.

mod changes;
mod clients;
mod round_trips;
mod runtime;

pub(crate) use changes::Changes;
pub(crate) use clients::{Clients, Home};
pub(crate) use round_trips::RoundTrips;
pub(crate) use runtime::spawn_on_own;
