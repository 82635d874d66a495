//! Names in the attribute that must be arguments of the function.

use syn::{FnArg, Ident, Pat};

use crate::diagnostics::{Errors, did_you_mean};
use crate::model::{Arguments, bound_names};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    if let Some(skip) = &arguments.skip {
        check_skipped(&skip.value.0, function, errors);
    }
    if let Some(key) = &arguments.key {
        for parameter in key.value.parameters(function) {
            errors.note(parameter);
        }
    }
}

/// Every name must be an argument, and occur once.
fn check_skipped(names: &[Ident], function: &Function, errors: &mut Errors) {
    let known = argument_names(function);
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            errors.at(name.span(), format!("`{name}` is named twice"));
        } else if is_part(name, function) {
            errors.at(
                name.span(),
                format!("`{name}` is a part of an argument, and `skip` takes whole ones; name the argument, and take it apart in the body"),
            );
        } else if !known.iter().any(|known| name == known) {
            let hint = did_you_mean(&name.to_string(), known.iter().map(String::as_str));
            let hint = hint.unwrap_or_default();
            errors.at(
                name.span(),
                format!("the function has no argument `{name}`{hint}"),
            );
        }
    }
}

/// Whether a name is bound by an argument's pattern.
fn is_part(name: &Ident, function: &Function) -> bool {
    let mut patterns = function
        .signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(argument) if !matches!(*argument.pat, Pat::Ident(_)) => {
                Some(&argument.pat)
            }
            _ => None,
        });
    patterns.any(|pattern| bound_names(pattern).contains(name))
}

/// The names by which the attribute can refer to arguments; an argument with a pattern has none.
fn argument_names(function: &Function) -> Vec<String> {
    let name = |input: &FnArg| match input {
        FnArg::Receiver(_) => Some("self".to_owned()),
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pattern) => Some(pattern.ident.to_string()),
            _ => None,
        },
    };
    function.signature.inputs.iter().filter_map(name).collect()
}
