//! Single flight in the process: one computation for each key, however many threads and tasks ask for it.
//!
//! The first caller of a key leads a flight; the others wait for its result. If the leader panics or is cancelled, the
//! flight is abandoned and a waiter leads the next one. Invalidating a key removes its flight from the table: the result is
//! still returned but no longer stored.

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

pub(crate) use self::computation::{ComputationId, EnterGuard, current};
pub(crate) use self::phase::{Flight, Phase};
pub use self::result::SharedError;
pub(crate) use self::result::{FlightResult, LookupResult, Validity};
pub use self::table::Recheck;
pub(crate) use self::table::{Flights, Joined, Leader, Reservation};
pub(crate) use self::unshared::UnsharedComputation;
pub(crate) use self::wait_graph::{Dependency, depend};
