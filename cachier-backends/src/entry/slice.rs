//! Reads values from a slice, which takes a third of the time that ciborium takes to read them from a stream.
//!
//! The reader knows most of CBOR, but not all as ciborium writes it (the unit, short floats). Where it gives up, be it for
//! that or because the bytes are of another type or hostile, ciborium has the last word.

use std::convert::Infallible;

use cbor4ii::core::dec::{Read, Reference};
use cbor4ii::serde::Deserializer;
use serde::de::DeserializeOwned;

/// The value that all of `bytes` are, nested so many levels deep at most; `None` leaves it to ciborium.
pub(super) fn read<V: DeserializeOwned>(bytes: &[u8], levels: usize) -> Option<V> {
    let rest = bytes;
    let mut deserializer = Deserializer::new(Slice { rest, levels });
    let value = V::deserialize(&mut deserializer).ok()?;
    let Slice { rest, .. } = deserializer.into_inner();
    rest.is_empty().then_some(value)
}

/// What is left of the bytes, and how many levels deeper they may nest.
struct Slice<'a> {
    rest: &'a [u8],
    levels: usize,
}

impl<'a> Read<'a> for Slice<'a> {
    type Error = Infallible;

    #[inline]
    fn fill<'short>(&'short mut self, want: usize) -> Result<Reference<'a, 'short>, Infallible> {
        Ok(Reference::Long(&self.rest[..want.min(self.rest.len())]))
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count.min(self.rest.len())..];
    }

    #[inline]
    fn step_in(&mut self) -> bool {
        let left = self.levels.checked_sub(1);
        self.levels = left.unwrap_or(0);
        left.is_some()
    }

    #[inline]
    fn step_out(&mut self) {
        self.levels += 1;
    }
}

#[cfg(test)]
#[path = "slice_tests.rs"]
mod tests;
