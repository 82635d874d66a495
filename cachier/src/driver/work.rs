//! What the driver needs of a call's function: to run it, and to hand values to and fro. It never sees the result's type.

use cachier_backends::Error;

use super::refresh_request::RefreshSpawner;
use crate::decision::ResultKind;
use crate::flight::SharedError;
use crate::function::Function;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::{Found, Store};
use crate::verification::Finding;

/// Where a call's result takes shape, in terms of the kept form `V` of values.
pub trait Slot<V> {
    /// Makes a kept value the result.
    fn serve(&mut self, found: Found<V>) -> Result<(), Error>;
    /// The computed result in kept form, with its size where that is known and asked for.
    fn encode(&self, stamp: Stamp, size: WantSize) -> Result<Found<V>, Error>;
    /// Checks that the computed result comes back from its kept form.
    fn round_trips(&self, found: &Found<V>) -> Result<(), Finding>;
    /// Learns that the computed result was stored under this stamp.
    fn stored(&mut self, stamp: Stamp);
    /// The computed error in a form that every waiter can have a clone of.
    fn share_error(&self) -> Option<SharedError>;
    /// Makes a shared error the result.
    fn serve_error(&mut self, error: &SharedError) -> Served;
    /// Makes a backend's failure the result, where the function asks for that.
    fn propagate(&mut self, error: &Error) -> Served;
    /// Learns that what is stored is not valid any more.
    fn invalidated(&self);
}

/// The computed result in kept form, from which it comes back as far as that is checked.
pub(super) fn encode_checked<V>(
    function: &Function,
    slot: &dyn Slot<V>,
    stamp: Stamp,
    size: WantSize,
) -> Result<Found<V>, Error> {
    let encoded = slot.encode(stamp, size);
    let found = encoded.inspect_err(|error| function.report_refusal(error))?;
    let verified = function.verification.value(|| slot.round_trips(&found));
    verified.map_err(|finding| function.report_finding(finding))?;
    Ok(found)
}

/// Whether the slot could make a result of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It did.
    Yes,
    /// It could not; the function must run.
    No,
}

/// What may be cached of the function's results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cacheable {
    /// Nothing: the call bypasses the cache.
    Nothing,
    /// Values, but not `None`.
    Values,
    /// Values and `None`.
    ValuesAndNone,
}

/// The function of one call, not yet run, and the place for its result.
pub trait Work<T: Store> {
    fn slot(&mut self) -> &mut dyn Slot<T::Value>;
    /// Keeps the function for the background instead of running it.
    fn defer(&mut self) -> Option<RefreshSpawner<T>>;
}

/// A function that is awaited.
///
/// Its future is a parameter: one that a method made would be sendable only as far as the compiler can tell that the
/// future's output is the function's result, and of types with `dyn` in them it cannot.
pub trait AsyncWork<T: Store, F: Future>: Work<T> {
    /// The function at work.
    fn begin(&mut self, cacheable: Cacheable) -> F;
    /// Takes the result to the slot.
    fn end(&mut self, returned: F::Output, cacheable: Cacheable) -> ResultKind;
}
