//! Phase two, the meaning of syntax: the table of arguments, the types of their values, and how they apply to the
//! function.

mod arguments;
mod attributes;
mod background;
mod cached;
mod choices;
mod companion_error;
mod computed;
mod header;
mod key;
#[cfg(test)]
mod page_tests;
mod parameters;
mod placement;
mod refresh_after;
#[cfg(test)]
mod tests;
mod unknown;
mod values;

pub(crate) use arguments::{Argument, Arguments};
pub(crate) use attributes::{Destination, LINTS, path_of};
pub(crate) use cached::{Cached, CompanionKind, Store, Typing, is_off, is_on};
pub(crate) use choices::{Backend, BuiltIn, OnBackendError};
pub(crate) use companion_error::CompanionError;
pub(crate) use key::{KeyParameter, StandsFor, bound_names};
pub(crate) use parameters::{MAX_KEY_ARGUMENTS, Parameter, Passing, Role, is_static};
pub(crate) use placement::Placement;
pub(crate) use refresh_after::RefreshAfter;
pub(crate) use values::{
    Age, Amount, Companion, Flag, KeyClosure, Percentage, Rate, Switch, Time, Version,
};
