//! The driver's view of a function: it runs it and exchanges values, and never sees the result's type.

use cachier_backends::Error;
use cachier_backends::entry::AgeLimit;

use super::refresh_request::RefreshSpawner;
use crate::decision::ResultKind;
use crate::flight::SharedError;
use crate::function::Function;
use crate::options::{Policy, WantSize};
use crate::stamp::Stamp;
use crate::storage::{Found, Store};
use crate::verification::Finding;

/// The result of a call, in terms of encoded values `V`.
pub trait Slot<V> {
    /// Makes an encoded value the result.
    fn serve(&mut self, found: Found<V>) -> Result<(), Error>;
    /// The age limit that the computed result has of its own.
    fn age_limit(&self) -> Option<AgeLimit>;
    /// Encodes the computed result, with its size if that is known and wanted.
    fn encode(&self, stamp: Stamp, size: WantSize) -> Result<Found<V>, Error>;
    /// Checks that the computed result survives the round trip through its encoded form.
    fn round_trips(&self, found: &Found<V>) -> Result<(), Finding>;
    /// The result was loaded, fresh, under this stamp; until when no hit may refresh it, if there is such a pause.
    fn loaded(&mut self, stamp: Stamp, rests_until: Option<u64>);
    /// The computed result was stored under this stamp.
    fn stored(&mut self, stamp: Stamp);
    /// The computed error, where waiters can share it.
    fn share_error(&self) -> Option<SharedError>;
    /// Makes a shared error the result.
    fn serve_error(&mut self, error: &SharedError) -> Served;
    /// Makes a backend's failure the result, where the function propagates it.
    fn propagate(&mut self, error: &Error) -> Served;
    /// The stored value is no longer valid.
    fn invalidated(&self);
}

/// Encodes the computed result, verified as far as the function's values are.
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

/// Whether the slot accepted what it was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Yes,
    /// Refused: the function must run.
    No,
}

/// Which results of the function may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cacheable {
    /// None: the call bypasses the cache.
    Nothing,
    /// Values, but not `None`.
    Values,
    /// Values and `None`.
    ValuesAndNone,
}

impl Cacheable {
    /// What the function's parameters let a call store.
    pub(super) fn by(policy: &Policy) -> Self {
        match policy.allow_none {
            true => Self::ValuesAndNone,
            false => Self::Values,
        }
    }
}

/// The function of one call, not yet run, and the slot for its result.
pub trait Work<T: Store> {
    fn slot(&mut self) -> &mut dyn Slot<T::Value>;
    /// Hands the function over to the background.
    fn defer(&mut self) -> Option<RefreshSpawner<T>>;
}

/// A function that is awaited.
///
/// Its future is a type parameter: the future that a method returns would be `Send` only where the compiler can prove that
/// its output is the function's result, which it cannot for types with `dyn` in them.
pub trait AsyncWork<T: Store, F: Future>: Work<T> {
    /// Starts the function.
    fn begin(&mut self, cacheable: Cacheable) -> F;
    /// Puts the result into the slot.
    fn end(&mut self, returned: F::Output, cacheable: Cacheable) -> ResultKind;
}
