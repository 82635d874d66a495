//! Second phase: syntax becomes meaning. The table of arguments and the kinds of their values.

mod arguments;
mod choices;
mod placement;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use arguments::{Arguments, Given};
pub(crate) use choices::{Backend, BuiltIn, OnBackendError};
pub(crate) use placement::Placement;
pub(crate) use values::{Amount, Companion, Flag, KeyClosure, Rate, Skipped, Time, Version};
