//! Codecs between values and what stores keep.

use cachier_backends::Error;
use cachier_backends::entry;
use serde::Serialize;

use super::return_type::ReturnType;
use crate::options::WantSize;
use crate::stamp::Stamp;
use crate::storage::Found;

/// Measures a value, if its type can be measured.
pub type Measure<V> = Option<fn(&V, WantSize) -> Result<ValueSize, Error>>;

/// How large a value is.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "memory"),
    expect(dead_code, reason = "only values in memory are measured")
)]
pub struct ValueSize {
    /// Serialized, as stores have it: of this, `entry_size_limit` is a limit.
    pub(crate) serialized: u64,
    /// The heap memory that it owns: counts for `capacity_bytes`, and is measured only for that.
    pub(crate) heap: Option<u64>,
}

impl ValueSize {
    pub(crate) fn of<V: Serialize>(value: &V, want: WantSize) -> Result<Self, Error> {
        let heap = || entry::heap(value);
        Ok(Self {
            serialized: entry::measure(value)?,
            heap: (want == WantSize::Bounded).then(heap).transpose()?,
        })
    }
}

/// Encodes and decodes values.
#[diagnostic::on_unimplemented(
    message = "the function cannot be cached as it is",
    label = "another error says which of its types is unfit"
)]
pub trait ValueCodec<V>: Clone + Send + Sync + 'static {
    /// The form in which the store keeps values.
    type Encoded: Clone;

    /// Decodes a value.
    fn decode(&self, found: Found<Self::Encoded>) -> Result<V, Error>;
    /// Encodes a value that was just computed.
    fn encode(
        &self,
        value: &V,
        stamp: Stamp,
        size: WantSize,
        measure: Measure<V>,
    ) -> Result<Found<Self::Encoded>, Error>;
    /// The value was loaded, fresh; until when no hit may refresh it, if there is such a pause.
    fn loaded(&self, _: &V, _: Stamp, _: Option<u64>) {}
    /// The value was stored.
    fn stored(&self, _: &V, _: Stamp) {}
    /// The stored value is no longer valid.
    fn invalidated(&self) {}
}

/// Asks the compiler whether values can be measured.
pub struct SizeProbe<S>(pub S);

impl<S: ReturnType<Value: Serialize>> SizeProbe<S> {
    /// How to measure the values.
    pub fn measure(&self) -> Measure<S::Value> {
        Some(ValueSize::of)
    }
}

/// The answer for values that cannot be serialized.
pub trait Unmeasured {
    type Value;
    fn measure(&self) -> Measure<Self::Value>;
}

impl<S: ReturnType> Unmeasured for SizeProbe<S> {
    type Value = S::Value;

    fn measure(&self) -> Measure<S::Value> {
        None
    }
}
