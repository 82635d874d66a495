//! Third phase: whether arguments and function fit together. Every fault is noted; nothing is stopped at.

mod combinations;
mod features;
mod keys;
mod lifetimes;
mod names;
mod returned;
mod signature;
#[cfg(test)]
mod tests;

use crate::diagnostics::Errors;
use crate::model::Arguments;
use crate::parse::Function;

/// Notes all that is wrong with a function and the arguments of its attribute.
pub(crate) fn validate(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    features::check(arguments, errors);
    combinations::check(arguments, errors);
    keys::check(arguments, function, errors);
    lifetimes::check(arguments, function, errors);
    names::check(arguments, function, errors);
    signature::check(arguments, function, errors);
    returned::check(&function.signature, errors);
}
