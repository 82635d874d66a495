//! Single flight in the process: one computation for each key, however many threads and tasks ask for it.
//!
//! The caller that finds no flight for its key leads one; the others wait for it to land. A leader that panics or is
//! cancelled abandons its flight, and one of the waiters leads the next. Forgetting a key (invalidation) takes the
//! flight out of the table, so that its result is still returned but no longer stored.

mod computation;
mod landing;
#[cfg(all(test, shuttle))]
mod model;
#[cfg(all(test, shuttle))]
mod model_leases;
mod phase;
mod solo;
mod table;
mod unshared;
mod wait_graph;
mod wait_list;

pub(crate) use self::computation::{ComputationId, Entered, current, within};
pub(crate) use self::landing::Landing;
pub use self::landing::SharedError;
pub(crate) use self::phase::{Flight, Phase};
pub(crate) use self::solo::Solo;
pub use self::table::Recheck;
pub(crate) use self::table::{Announced, Flights, Joined, Leader};
pub(crate) use self::wait_graph::{Dependency, depend};
