//! A function as the driver sees it.

use cachier_backends::process::PerProcess;

use crate::backoff::Backoffs;
use crate::flight::Flights;
use crate::function::Function;
use crate::storage::{Found, Store};

/// A function with its store and its flights.
pub struct Core<T: Store> {
    pub(crate) function: Function,
    pub(crate) store: T,
    pub(crate) flights: PerProcess<Flights<T::Key, Found<T::Value>>>,
    pub(crate) backoffs: PerProcess<Backoffs>,
}
