//! The user's attributes on the function, distributed over the generated items.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Attribute, Meta, Visibility};

use super::quoting::code;
use crate::model::{Cached, CompanionKind, Destination, LINTS};
use crate::parse::{Header, unconditional, under_condition_of};

/// The attributes of the wrapper, and a line of documentation about the companion.
pub(super) fn of_wrapper(cached: &Cached) -> TokenStream {
    let attributes = sent_to(cached, &[Destination::Outer, Destination::Both]);
    // An expected lint occurs in the body, which has the attribute as well.
    let attributes = attributes.map(allowing);
    // On an undocumented function the line would only silence `missing_docs`.
    let is_documented = cached
        .function
        .attributes
        .iter()
        .any(is_text_of_documentation);
    let line = is_documented.then(|| companion_line(cached)).flatten();
    let allow = allowed_in_wrapper(cached);
    quote!(#(#attributes)* #line #allow)
}

/// The lints that would say of the wrapper what they do not say of the function.
fn allowed_in_wrapper(cached: &Cached) -> Option<TokenStream> {
    // It is in use where its companion is.
    let is_alone = matches!(cached.companion, CompanionKind::None);
    let unused = (!is_alone).then(|| quote!(dead_code));
    // It passes on arguments that only the body ignores.
    let mut names = cached.parameters.iter().map(|own| own.name.to_string());
    let ignored = names.any(|name| name.starts_with('_'));
    let ignored = ignored.then(|| quote!(clippy::used_underscore_binding));
    // The parameters of `key` are named like the arguments that they stand for.
    let key = cached.arguments.key.as_ref();
    let key = key.map(|_| quote!(clippy::shadow_reuse, clippy::shadow_unrelated));
    let lints: Vec<_> = [unused, ignored, key].into_iter().flatten().collect();
    (!lints.is_empty()).then(|| quote!(#[allow(#(#lints),*)]))
}

/// The attributes of other generated items.
pub(super) fn of_companion(cached: &Cached) -> TokenStream {
    let attributes = cached.function.attributes.iter();
    let conditions = attributes.filter(|attribute| is(attribute, "cfg"));
    quote!(#(#conditions)*)
}

/// The attributes of the body, if it is a function of its own.
pub(super) fn of_body(cached: &Cached) -> TokenStream {
    let attributes = sent_to(cached, &[Destination::Body, Destination::Both])
        .map(|attribute| named_span(cached, attribute).unwrap_or_else(|| quote!(#attribute)));
    // A deprecated function may call itself and its like.
    let allow = has(cached, "deprecated").then(|| quote!(#[allow(deprecated)]));
    let spared = matches!(cached.function.visibility, Visibility::Public(_)).then(spared);
    quote!(#(#attributes)* #allow #spared)
}

/// The lints that spare a signature which others know: that of the body's function is known to nobody.
fn spared() -> TokenStream {
    quote! {
        #[allow(clippy::box_collection, clippy::redundant_allocation, clippy::vec_box)]
        #[allow(clippy::extra_unused_type_parameters, clippy::unnecessary_wraps)]
        #[allow(clippy::large_types_passed_by_value, clippy::option_option)]
        #[allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self)]
    }
}

/// The impl's attributes that decide whether it is compiled.
pub(super) fn cfg_of(header: &Header) -> TokenStream {
    let attributes = header.attributes.iter();
    attributes
        .filter(|attribute| is(attribute, "cfg"))
        .map(|attribute| quote!(#attribute))
        .collect()
}

/// The lints of the impl, for bodies that have left it. An expected lint may occur in those that stay.
pub(super) fn lints_of(header: &Header) -> TokenStream {
    let attributes = header.attributes.iter();
    attributes
        .filter(|attribute| LINTS.iter().any(|lint| is(attribute, lint)))
        .map(allowing)
        .collect()
}

/// An attribute that expects a lint, so that it allows the lint; any other as it is.
fn allowing(attribute: &Attribute) -> TokenStream {
    match (is(attribute, "expect"), unconditional(&attribute.meta)) {
        (true, Meta::List(list)) => {
            let lints = &list.tokens;
            let allow = under_condition_of(&attribute.meta, quote!(allow(#lints)));
            quote!(#[#allow])
        }
        _ => quote!(#attribute),
    }
}

/// The attributes with one of these destinations.
fn sent_to<'a>(
    cached: &'a Cached,
    wanted: &'a [Destination],
) -> impl Iterator<Item = &'a Attribute> {
    let attributes = cached.function.attributes.iter();
    attributes.filter(|attribute| wanted.contains(&Destination::of(attribute)))
}

fn has(cached: &Cached, name: &str) -> bool {
    let mut attributes = cached.function.attributes.iter();
    attributes.any(|attribute| is(attribute, name))
}

/// Whether an attribute is a line of documentation, and not `doc(..)`.
fn is_text_of_documentation(attribute: &Attribute) -> bool {
    let meta = unconditional(&attribute.meta);
    matches!(meta, Meta::NameValue(line) if line.path.is_ident("doc"))
}

/// Whether an attribute is the one of this name, under a condition or not.
fn is(attribute: &Attribute, name: &str) -> bool {
    unconditional(&attribute.meta).path().is_ident(name)
}

/// `#[instrument]` with the name of the user's function, unless it names its span: the body's function has another name.
fn named_span(cached: &Cached, attribute: &Attribute) -> Option<TokenStream> {
    let meta = unconditional(&attribute.meta);
    let path = meta.path();
    if path.segments.last()?.ident != "instrument" {
        return None;
    }
    let given = match &meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => return None,
    };
    if names_span(given.clone()) {
        return None;
    }
    let name = cached.function.signature.ident.unraw().to_string();
    let named = under_condition_of(&attribute.meta, quote!(#path(name = #name, #given)));
    Some(quote!(#[#named]))
}

/// Whether the arguments of `#[instrument]` have a name: `name = ..`, or a string that stands alone.
fn names_span(given: TokenStream) -> bool {
    let mut is_first = true;
    given.into_iter().any(|token| {
        let starts = std::mem::replace(&mut is_first, false);
        match token {
            TokenTree::Punct(comma) => {
                is_first = comma.as_char() == ',';
                false
            }
            TokenTree::Ident(word) => starts && word == "name",
            TokenTree::Literal(_) => starts,
            TokenTree::Group(_) => false,
        }
    })
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
