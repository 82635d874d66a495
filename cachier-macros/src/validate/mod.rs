//! Phase three: checks arguments and function against each other. All errors are collected.

mod attributes;
mod closures;
mod combinations;
mod companion;
mod features;
mod function;
mod implementation;
mod keys;
mod lifetimes;
mod names;
mod returned;
mod signature;
#[cfg(test)]
mod tests;
mod type_parameters;

pub(crate) use self::attributes::take_macros_above;
pub(crate) use self::function::validate;
pub(crate) use self::implementation::{Clash, check as implementation, clashes, is_foreign};
pub(crate) use self::lifetimes::are_undeclared;
