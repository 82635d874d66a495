//! Which modules of a crate use which, read from its source, the cycles among them, and whether they keep to their layers.
//!
//! A module is a file. It *uses* another if its code names something that the other defines: by a `use`, or by a path in a type,
//! a body or a macro, wherever that begins (`crate::`, `self::`, `super::`, an imported name) and through whatever it is
//! re-exported. No use is:
//!
//! - a declaration `mod x;`, and a re-export (`pub use x::Y;`): they say where something is to be found, and a module that
//!   does no more than that depends on nothing. Once its own code uses `Y`, it depends on `x`.
//! - the name of a module on the way to an item: `super::x::Y` uses `x`, not the parent.
//! - what is compiled for tests alone.
//!
//! Not seen, as types would have to be inferred: a method called on anything but `self`, unless its trait or type is named.

mod configuration;
mod cycles;
mod layers;
mod names;
mod source;
mod uses;

pub use cycles::{Cycle, cycles};
pub use layers::{Layers, Violation};
pub use source::{Source, SourceError};
pub use uses::{Graph, Site};

#[cfg(test)]
mod tests;
