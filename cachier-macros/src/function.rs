//! One function with the arguments of its attribute, from the check of both to its code.

use crate::diagnostics::Errors;
use crate::expand::{self, Expanded};
use crate::model::{Arguments, Cached};
use crate::package::Package;
use crate::parse::Function;
use crate::validate;

/// Validates and expands a function.
pub(crate) fn expanded(
    arguments: &Arguments,
    function: &Function,
    package: Package,
    mut errors: Errors,
) -> Expanded {
    validate::validate(arguments, function, &mut errors);
    let cached = Cached::new(arguments, function, package);
    // The compiler would repeat an error of the function itself for each part of its expansion.
    let is_faulty =
        validate::are_undeclared(arguments, function) || function.surroundings.repetition.is_some();
    if errors.is_empty() && !is_faulty {
        expand::expand(&cached)
    } else {
        expand::fallback(&cached, errors.into_compile_errors())
    }
}
