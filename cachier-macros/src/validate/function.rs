//! All checks of a function.

use super::{
    attributes, closures, combinations, companion, features, implementation, keys, lifetimes,
    names, returned, signature, type_parameters,
};
use crate::diagnostics::Errors;
use crate::model::Arguments;
use crate::parse::Function;

/// Collects all errors of a function and its attribute's arguments.
pub(crate) fn validate(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    features::check(arguments, errors);
    combinations::check(arguments, errors);
    implementation::check_signature(arguments, function, errors);
    closures::check(arguments, function, errors);
    keys::check(arguments, function, errors);
    lifetimes::check(arguments, function, errors);
    names::check(arguments, function, errors);
    companion::check(arguments, function, errors);
    signature::check(arguments, function, errors);
    attributes::check(arguments, function, errors);
    returned::check(arguments, &function.signature, errors);
    type_parameters::check(arguments, function, errors);
}
