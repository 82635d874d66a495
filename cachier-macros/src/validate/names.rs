//! Names in the attribute that must be arguments of the function, and names that must not collide.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{FnArg, Ident, Pat};

use crate::diagnostics::{Errors, did_you_mean};
use crate::model::{Arguments, Companion, Placement};
use crate::parse::Function;

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let known = argument_names(function);
    if let Some(skip) = &arguments.skip {
        check_each(
            skip.value.0.iter().map(|name| (Some(name), name.span())),
            &known,
            errors,
        );
    }
    if let Some(key) = &arguments.key {
        let parameters = key.value.parameters();
        check_each(
            parameters.map(|(pattern, name)| (name, pattern.span())),
            &known,
            errors,
        );
    }
    check_companion(arguments, function, errors);
}

/// Every name must be an argument, and occur once.
fn check_each<'a>(
    names: impl Iterator<Item = (Option<&'a Ident>, Span)>,
    known: &[String],
    errors: &mut Errors,
) {
    let mut seen = Vec::new();
    for (name, place) in names {
        let Some(name) = name.map(Ident::to_string) else {
            errors.at(
                place,
                "a parameter of `key` is the name of one of the function's arguments",
            );
            continue;
        };
        if !known.contains(&name) {
            let hint = did_you_mean(&name, known.iter().map(String::as_str)).unwrap_or_default();
            errors.at(
                place,
                format!("the function has no argument `{name}`{hint}"),
            );
        } else if seen.contains(&name) {
            errors.at(place, format!("`{name}` is named twice"));
        }
        seen.push(name);
    }
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

fn check_companion(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let Some(Companion::Named(name)) = arguments
        .companion
        .as_ref()
        .map(|companion| &companion.value)
    else {
        return;
    };
    // A method's companion is a function in the same namespace.
    if Placement::of(arguments, function) == Placement::Associated
        && *name == function.signature.ident
    {
        errors.at(
            name.span(),
            format!("the companion of a method needs a name of its own, such as `{name}_cache`"),
        );
    }
}
