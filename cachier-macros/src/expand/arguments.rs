//! The key of a call: its type, and the expression that makes it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::own_key;
use super::quoting::{SpanRange, code, krate_at};
use crate::model::{Cached, Parameter, Passing, Store};

/// The statement that binds `key`, if there is a key closure, and the expression of the arguments.
pub(super) fn arguments(cached: &Cached) -> (Option<TokenStream>, TokenStream) {
    let key = cached.arguments.key.as_ref();
    let place = place(cached);
    let arguments = match cached.store {
        Store::Memory => {
            let parts = parts(cached);
            code!(#place((#parts)))
        }
        Store::Persistent => {
            let (stored, names) = (stored_parts(cached), names(cached));
            code!(#place((#stored), #names))
        }
        Store::Near => {
            let (parts, stored, names) = (parts(cached), stored_parts(cached), names(cached));
            code!(#place((#parts), (#stored), #names))
        }
    };
    (
        key.map(|argument| own_key::statement(cached, &argument.value)),
        arguments,
    )
}

/// Where values are kept, as the runtime's macros call it.
fn place(cached: &Cached) -> TokenStream {
    match cached.store {
        Store::Memory if cached.is_bounded_by_bytes() => code!(bounded_memory),
        Store::Memory => code!(memory),
        Store::Persistent => code!(store),
        Store::Near => code!(both),
    }
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
        let owned = match parameter.is_encoded() {
            true => code!(#krate::__private::Encoding),
            false => code!(#krate::__owned_part!(#kept)),
        };
        match parameter.passing {
            Passing::OptionalReference(_) => code!(#krate::__private::Option<#owned>),
            _ => owned,
        }
    });
    let place = match cached.store {
        Store::Near => code!(; IN_BOTH),
        _ if cached.is_bounded_by_bytes() => code!(; IN_BOUNDED_MEMORY),
        _ => TokenStream::new(),
    };
    code!(#krate::__private::#store<(#(#owned,)*), #krate::__memory_value!(#returned #place)>)
}

/// The parts of an in-memory key.
fn parts(cached: &Cached) -> TokenStream {
    let kept = code!(in_memory);
    if let Some(key) = &cached.arguments.key {
        // Each may be a reference.
        let at = SpanRange::over(&key.value.0.body);
        let members = own_key::members(cached, &key.value);
        let parts = members
            .iter()
            .map(|member| part(cached, at, &code!(__key), member, &kept));
        return quote!(#(#parts,)*);
    }
    let part = |parameter: &Parameter| {
        let at = SpanRange::over(&parameter.ty);
        let probe = match parameter.is_encoded() {
            true => code!(__encoded),
            false => code!(__key),
        };
        let Passing::OptionalReference(_) = parameter.passing else {
            return part(cached, at, &probe, &parameter.borrowed(), &kept);
        };
        let (krate, name) = (krate_at(cached, at.first), &parameter.name);
        let inner = part(cached, at, &probe, &quote!(#name), &kept);
        let parts = quote_spanned!(at.last=> (#name.map(|#name| #inner)));
        quote_spanned!(at.first=> #krate::__optional #parts)
    };
    let parts = cached.keyed().map(part);
    quote!(#(#parts,)*)
}

/// The parts of a stored key.
fn stored_parts(cached: &Cached) -> TokenStream {
    let kept = code!(in_store);
    if let Some(key) = &cached.arguments.key {
        let at = SpanRange::over(&key.value.0.body);
        let part = part(cached, at, &code!(__key), &code!(&key), &kept);
        return quote!(#part,);
    }
    let part = |parameter: &Parameter| {
        let at = SpanRange::over(&parameter.ty);
        part(cached, at, &code!(__key), &parameter.borrowed(), &kept)
    };
    let parts = cached.keyed().map(part);
    quote!(#(#parts,)*)
}

/// One part: how it is asked what it is, what is asked, and where the key is kept.
fn part(
    cached: &Cached,
    at: SpanRange,
    probe: &TokenStream,
    borrowed: &TokenStream,
    kept: &TokenStream,
) -> TokenStream {
    let krate = krate_at(cached, at.first);
    let probe = quote_spanned!(at.first=> #krate::#probe(#borrowed));
    quote_spanned!(at.last=> #probe.#kept())
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
