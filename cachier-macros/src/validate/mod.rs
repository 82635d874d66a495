//! Phase three: checks arguments and function against each other. All errors are collected.

mod attributes;
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

pub(crate) use self::function::validate;
pub(crate) use self::implementation::{check as implementation, clashes, is_foreign};
pub(crate) use self::lifetimes::are_undeclared;
use crate::diagnostics::Errors;
use crate::model::Arguments;
use crate::parse::Function;

/// Collects all errors of a function and its attribute's arguments.
pub(crate) fn validate(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    features::check(arguments, errors);
    combinations::check(arguments, errors);
    implementation::check_signature(arguments, function, errors);
    keys::check(arguments, function, errors);
    lifetimes::check(arguments, function, errors);
    names::check(arguments, function, errors);
    companion::check(arguments, function, errors);
    signature::check(arguments, function, errors);
    attributes::check(arguments, function, errors);
    returned::check(arguments, &function.signature, errors);
    type_parameters::check(arguments, function, errors);
}
