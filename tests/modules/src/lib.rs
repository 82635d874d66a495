//! Which modules of a crate use which, read from its source, the cycles among them, and whether they keep to their layers;
//! which public items have no example; the rules of style that each file keeps; and what documents link to.
//!
//! A module is a file. It *uses* another if its code names an item defined there, by a `use` or a path in a type, a
//! body or a macro, wherever that begins (`crate::`, `self::`, `super::`, an imported name) and through re-exports. Not
//! uses are:
//!
//! - declarations `mod x;` and re-exports (`pub use x::Y;`), which only say where something is. A module's own code
//!   that names `Y` does use `x`.
//! - names of modules on the way to an item: `super::x::Y` uses `x`, not the parent.
//! - code compiled for tests only.
//!
//! A second look takes the re-exports of a `mod.rs` for uses ([`Graph::with_doors`]): a child that takes a sibling's item from
//! its parent is in a cycle with that then, and is to import it from the sibling.
//!
//! Method calls on anything but `self` are not seen unless their trait or type is named, as that needs type inference.

mod configuration;
mod cycles;
mod documents;
mod examples;
mod layers;
mod names;
mod source;
mod style;
mod uses;

pub use cycles::{Cycle, cycles};
pub use documents::{Block, anchors, blocks, links};
pub use examples::{WithoutExample, without_examples};
pub use layers::{Layers, Violation};
pub use source::{Source, SourceError};
pub use style::{MAX_LINES, MAX_WORDS, definitions, excessive_lines, long_test_names};
pub use uses::{Graph, Site};

#[cfg(test)]
mod tests;
