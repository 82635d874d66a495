//! How deep arguments and values may be nested where they are serialized.
//!
//! Serializing recurses, so that a long linked list would exhaust the stack of a program that runs well without a cache.
//! Everything that serializes counts its levels by this, and refuses what is too deep with the rest of the stack in hand.

use std::fmt;

/// How many levels deep a value may be nested: in sequences, tuples, maps, structs and variants. Of the stack, a level of
/// `serde_json::Value` takes 3 KB in a debug build while it is read.
pub(crate) const MAX_LEVELS: usize = 128;

/// In how many options and newtypes a value may be wrapped, those on all its levels together. CBOR does not show them, so
/// that they are no levels; still they recurse.
const MAX_WRAPPERS: usize = 2 * MAX_LEVELS;

/// How much deeper what is serialized may be nested.
#[derive(Clone, Copy)]
pub(crate) struct Depth {
    levels: usize,
    wrappers: usize,
}

/// What is nested deeper than it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooDeep;

impl Depth {
    /// Of a value.
    pub(crate) const VALUE: Self = Self {
        levels: MAX_LEVELS,
        wrappers: MAX_WRAPPERS,
    };

    /// Of the tuple of all arguments: each of them may be as deep as a value.
    pub(crate) const ARGUMENTS: Self = Self {
        levels: MAX_LEVELS + 1,
        ..Self::VALUE
    };

    /// The depth inside of something that is so many levels by itself.
    pub(crate) fn inside(self, levels: usize) -> Result<Self, TooDeep> {
        let levels = self.levels.checked_sub(levels).ok_or(TooDeep)?;
        Ok(Self { levels, ..self })
    }

    /// The depth inside of an option or a newtype.
    pub(crate) fn unwrapped(self) -> Result<Self, TooDeep> {
        let wrappers = self.wrappers.checked_sub(1).ok_or(TooDeep)?;
        Ok(Self { wrappers, ..self })
    }
}

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is nested more than {MAX_LEVELS} levels deep")
    }
}
