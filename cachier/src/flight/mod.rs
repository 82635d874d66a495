//! Single flight in the process: one computation for each key, however many threads and tasks ask for it.
//!
//! The caller that finds no flight for its key leads one; the others wait for it to land. A leader that panics or is
//! cancelled abandons its flight, and one of the waiters leads the next. Forgetting a key (invalidation) takes the
//! flight out of the table, so that its result is still returned but no longer stored.

mod computation;
mod invalidation_counts;
#[cfg(all(test, shuttle))]
mod model;
#[cfg(all(test, shuttle))]
mod model_leases;
mod phase;
mod result;
mod table;
mod unshared;
mod wait_graph;
mod wait_list;

pub(crate) use self::computation::{ComputationId, EnterGuard, current, in_computation};
pub(crate) use self::phase::{Flight, Phase};
pub(crate) use self::result::FlightResult;
pub use self::result::SharedError;
pub use self::table::Recheck;
pub(crate) use self::table::{Flights, Joined, Leader, Reservation};
pub(crate) use self::unshared::UnsharedComputation;
pub(crate) use self::wait_graph::{Dependency, depend};
