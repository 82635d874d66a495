//! The user's attributes on the function, distributed over the generated items.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use super::code;
use crate::model::{Cached, CompanionKind};

/// The wrapper's: all of them, and a line of documentation about the companion.
pub(super) fn of_wrapper(cached: &Cached) -> TokenStream {
    let attributes = cached.function.attributes.iter().map(|attribute| {
        match (is(attribute, &["expect"]), &attribute.meta) {
            // The expected lint occurs in the body, which has the attribute as well.
            (true, syn::Meta::List(list)) => {
                let lints = &list.tokens;
                quote!(#[allow(#lints)])
            }
            _ => quote!(#attribute),
        }
    });
    // On an undocumented function the line would only silence `missing_docs`.
    let is_documented = cached
        .function
        .attributes
        .iter()
        .any(|attribute| is(attribute, &["doc"]));
    let line = is_documented.then(|| companion_line(cached)).flatten();
    // The wrapper passes on arguments that only the body ignores.
    let ignores = cached
        .parameters
        .iter()
        .any(|parameter| parameter.name.to_string().starts_with('_'));
    let allow = ignores.then(|| quote!(#[allow(clippy::used_underscore_binding)]));
    quote!(#(#attributes)* #line #allow)
}

/// Those of other generated items.
pub(super) fn of_companion(cached: &Cached) -> TokenStream {
    only(cached, &["cfg"])
}

/// Those of the body, if it is a function of its own.
pub(super) fn of_body(cached: &Cached) -> TokenStream {
    only(cached, &["allow", "expect", "warn", "deny", "forbid"])
}

fn only(cached: &Cached, names: &[&str]) -> TokenStream {
    cached
        .function
        .attributes
        .iter()
        .filter(|attribute| is(attribute, names))
        .map(|attribute| quote!(#attribute))
        .collect()
}

fn is(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

fn companion_line(cached: &Cached) -> Option<TokenStream> {
    let operations = match &cached.companion {
        CompanionKind::Enum(name) => {
            format!("`{name}::invalidate(…)`, `{name}::clear_cache()` and more")
        }
        CompanionKind::Function(name) => format!("`{name}()` and its operations"),
        CompanionKind::None => return None,
    };
    let line = format!(" Cached: {operations} work on what is stored.");
    Some(code!(#[doc = ""] #[doc = #line]))
}
