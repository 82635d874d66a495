//! Limits for the nesting of serialized arguments and values.
//!
//! Serializing is recursive, so a long linked list would overflow the stack of a program that runs well without a
//! cache. All serializers count levels by this, and fail before the stack is exhausted.

use std::fmt;

/// The deepest nesting of a value, in sequences, tuples, maps, structs and variants. Reading a level of
/// `serde_json::Value` takes 3 KB of stack in a debug build.
pub(crate) const MAX_LEVELS: usize = 128;

/// The most options and newtypes around a value, counted over all levels. CBOR does not represent them, so they are not
/// levels, but they recurse as well.
const MAX_WRAPPERS: usize = 2 * MAX_LEVELS;

/// The remaining depth.
#[derive(Clone, Copy)]
pub(crate) struct Depth {
    levels: usize,
    wrappers: usize,
}

/// The error of excessive nesting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooDeep;

impl Depth {
    /// The depth of a value.
    pub(crate) const VALUE: Self = Self {
        levels: MAX_LEVELS,
        wrappers: MAX_WRAPPERS,
    };

    /// The depth of a tuple of arguments, each of which may be as deep as a value.
    pub(crate) const ARGUMENTS: Self = Self {
        levels: MAX_LEVELS + 1,
        ..Self::VALUE
    };

    /// The depth inside something of that many levels.
    pub(crate) fn inside(self, levels: usize) -> Result<Self, TooDeep> {
        let levels = self.levels.checked_sub(levels).ok_or(TooDeep)?;
        Ok(Self { levels, ..self })
    }

    /// The depth inside an option or a newtype.
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
