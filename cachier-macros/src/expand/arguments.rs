//! The key of a call: its type, and the expression that makes it.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned as _;

use super::{code, krate_at, own_key, returned};
use crate::model::{Cached, Parameter, Passing, Store};

/// The statement that binds `key`, if there is a key closure, and the expression of the arguments.
pub(super) fn arguments(cached: &Cached) -> (Option<TokenStream>, TokenStream) {
    let krate = &cached.krate;
    let key = cached.arguments.key.as_ref();
    let arguments = match cached.store {
        Store::Memory => {
            let parts = parts(cached);
            code!(#krate::__private::MemoryArguments((#parts)))
        }
        Store::Persistent => {
            let (stored, names) = (stored_parts(cached), names(cached));
            code!(#krate::__private::StoredArguments((#stored), #names))
        }
        Store::Near => {
            let (parts, stored, names) = (parts(cached), stored_parts(cached), names(cached));
            code!(#krate::__private::NearArguments((#parts), (#stored), #names))
        }
    };
    (
        key.map(|argument| own_key::statement(cached, &argument.value)),
        arguments,
    )
}

/// The type of the storage, if the types of key and value can be named.
pub(super) fn storage(cached: &Cached) -> TokenStream {
    let (krate, returned) = (&cached.krate, cached.returned());
    let store = match cached.store {
        Store::Persistent => return code!(#krate::__private::Persistent),
        Store::Memory => code!(Memory),
        Store::Near => code!(Near),
    };
    let owned = cached.keyed().map(|parameter| {
        let kept = parameter.owned_type();
        let span = at_type(parameter);
        let krate = krate_at(cached, span);
        let owned = quote_spanned!(span=> #krate::__owned_part!(#kept));
        match parameter.passing {
            Passing::OptionalReference(_) => code!(#krate::__private::Option<#owned>),
            _ => owned,
        }
    });
    let span = returned::span(cached);
    let here = krate_at(cached, span);
    let value = quote_spanned!(span=> #here::__memory_value!(#returned));
    code!(#krate::__private::#store<(#(#owned,)*), #value>)
}

/// The parts of an in-memory key.
fn parts(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    if let Some(argument) = &cached.arguments.key {
        return own_key::parts(cached, &argument.value);
    }
    let part = |parameter: &Parameter| {
        let borrowed = parameter.borrowed();
        match parameter.passing {
            Passing::OptionalReference(_) => {
                let name = &parameter.name;
                code!(#krate::__private::OptionRef(#name),)
            }
            _ => {
                let span = at_type(parameter);
                let krate = krate_at(cached, span);
                quote_spanned!(span=> #krate::__key_part!(#borrowed),)
            }
        }
    };
    cached.keyed().map(part).collect()
}

/// The parts of a stored key.
fn stored_parts(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    if cached.arguments.key.is_some() {
        return code!(#krate::__stored_part!(&key),);
    }
    let part = |parameter: &Parameter| {
        let borrowed = parameter.borrowed();
        let span = at_type(parameter);
        let krate = krate_at(cached, span);
        quote_spanned!(span=> #krate::__stored_part!(#borrowed),)
    };
    cached.keyed().map(part).collect()
}

/// The names of a stored key's parts, as one string to keep expansions readable. The name for a key closure cannot be
/// an argument's; the runtime recognises it.
fn names(cached: &Cached) -> String {
    if cached.arguments.key.is_some() {
        return "key = ..".to_owned();
    }
    let names = cached.keyed().map(|parameter| parameter.name.to_string());
    names.collect::<Vec<_>>().join(", ")
}

/// A span that makes the compiler's messages about a part point at the argument's type.
fn at_type(parameter: &Parameter) -> Span {
    parameter.ty.span().resolved_at(Span::mixed_site())
}
