//! Other attributes that a cached function cannot have.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::Attribute;

use crate::diagnostics::Errors;
use crate::model::{Arguments, CompanionKind, Destination, path_of};
use crate::parse::{Function, has_word, is_cachier};

pub(super) fn check(arguments: &Arguments, function: &Function, errors: &mut Errors) {
    let has_body = !matches!(CompanionKind::of(arguments, function), CompanionKind::None);
    for attribute in &function.attributes {
        match Destination::of(attribute) {
            // Two of them have an error of their own.
            _ if is_cachier(attribute) => {}
            Destination::Refused(why) => errors.over(attribute, why),
            Destination::Body if !has_body => {
                let name = name_of(attribute);
                errors.over(
                    attribute,
                    format!("`#[{name}]` is meant for the body, which is no function of its own with `companion = false`; move the body into another function, and annotate that"),
                );
            }
            _ => {}
        }
    }
    if has_word(function.body.stream(), &is_of_instrument) {
        errors.at(function.signature.ident.span(), INSTRUMENTED);
    }
}

/// Takes away and refuses the attribute macros that stand above `#[cachier]` in an annotated impl. There they have not been
/// applied before, and would silently do what they do below.
pub(crate) fn take_macros_above(
    arguments: &Arguments,
    function: &mut Function,
    above: usize,
    errors: &mut Errors,
) {
    if matches!(CompanionKind::of(arguments, function), CompanionKind::None) {
        // Refused wherever they stand.
        return;
    }
    let mut place = 0;
    function.attributes.retain(|attribute| {
        place += 1;
        let is_refused = place <= above && Destination::of(attribute) == Destination::Body;
        if is_refused {
            errors.over(attribute, above_cachier(attribute));
        }
        !is_refused
    });
}

fn above_cachier(attribute: &Attribute) -> String {
    let name = name_of(attribute);
    match name.rsplit("::").next() {
        Some("instrument") => INSTRUMENTED.to_owned(),
        _ => format!(
            "`#[{name}]` above `#[cachier]` reads as applied to the cached function, but in an impl with `#[cachier::methods]` it \
             is applied to the body, which a hit does not run; write it below `#[cachier]`"
        ),
    }
}

fn name_of(attribute: &Attribute) -> String {
    let path = path_of(attribute).to_token_stream().to_string();
    path.replace(' ', "")
}

/// Whether a word is one that `#[tracing::instrument]` writes.
fn is_of_instrument(word: &Ident) -> bool {
    word == "__tracing_attr_span" || word == "__tracing_instrument_future"
}

/// Attributes are applied from the top, each to what the function is then.
const INSTRUMENTED: &str = "`#[instrument]` above `#[cachier]` reads as a span around each call, but is applied to the body, \
                            which a hit does not run; write it below `#[cachier]` for spans of computations, or put it on \
                            a function that calls this one for spans of calls";
