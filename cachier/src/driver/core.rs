//! One function as the driver sees it.

use cachier_backends::process::PerProcess;

use crate::backoff::Backoffs;
use crate::flight::Flights;
use crate::function::Function;
use crate::storage::{Found, Store};

/// A function together with its storage and its flights.
pub struct Core<T: Store> {
    pub(crate) function: Function,
    pub(crate) store: T,
    /// Those of each process.
    pub(crate) flights: PerProcess<Flights<T::Key, Found<T::Value>>>,
    /// Those of each process, likewise.
    pub(crate) backoffs: PerProcess<Backoffs>,
}
