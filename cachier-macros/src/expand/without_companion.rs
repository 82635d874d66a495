//! A function without companion (`companion = false`), as in trait impls: all code is inside.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote_spanned;

use super::quoting::code;
use super::{arguments, call, dispatch, returned, signature, site};
use crate::model::Cached;

/// The whole function.
pub(super) fn whole(cached: &Cached) -> TokenStream {
    let (krate, asyncness) = (&cached.krate, &cached.function.signature.asyncness);
    let prepared = prepared(cached);
    let spec = returned::spec(cached, &returned::return_type(cached));
    let (body, run) = run(cached);
    call::around(
        cached,
        &code! {
            #[allow(clippy::redundant_closure, clippy::redundant_closure_for_method_calls)]
            let spec = #spec;
            let prepared = #prepared;
            match prepared {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(prepared) => {
                    let body = #body;
                    let reply = #krate::__run!([#asyncness] spec, prepared, #run);
                    reply.value()
                }
            }
        },
    )
}

/// The function's body, and how the runtime runs it.
fn run(cached: &Cached) -> (TokenStream, TokenStream) {
    if cached.has_background() {
        let run = dispatch::run(cached, &code!(body));
        return (body_with_parameters(cached), run);
    }
    let krate = &cached.krate;
    match cached.is_async() {
        true => (future(cached), code!(body => body, body)),
        // Passed to a function, as a closure that writes to its captures would have to be `mut` to be called by name.
        false => (
            body_with_captures(cached),
            code!(body => body, #krate::__private::call_once(body)),
        ),
    }
}

/// The hit's value, or what a miss needs. In a block, so that no temporary lives across an `.await`.
fn prepared(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    let (static_item, slot) = (site::item(cached, &code!(static SITE)), site::slot(cached));
    let (return_type, (key, arguments)) =
        (returned::return_type(cached), arguments::arguments(cached));
    code!({
        #static_item
        #key
        let (return_type, arguments) = #krate::__checked!(#return_type, #arguments);
        let site = SITE.resolve(&|| (), return_type, &arguments);
        match site.lookup(return_type, &arguments, #slot) {
            #krate::__private::Lookup::Hit(value) => ::core::result::Result::Ok(value),
            #krate::__private::Lookup::Miss(start) => {
                let operation = #krate::__private::TypedRequest::first(start);
                ::core::result::Result::Err(site.prepare(spec, operation, &arguments))
            }
        }
    })
}

/// The body as a closure that captures the arguments and `self`.
fn body_with_captures(cached: &Cached) -> TokenStream {
    let (returned, body) = (cached.returned(), with_bindings(cached, None));
    let span = cached.function.body.span();
    quote_spanned!(span=> move || -> #returned #body)
}

/// The body as a future of an explicit type, which `?` and `return` do not determine.
fn future(cached: &Cached) -> TokenStream {
    let (krate, returned) = (&cached.krate, cached.returned());
    let body = with_bindings(cached, Some(code!(#krate::__returns!(#returned);)));
    let span = cached.function.body.span();
    quote_spanned!(span=> async move #body)
}

/// The body as a closure for this thread or the background.
fn body_with_parameters(cached: &Cached) -> TokenStream {
    let (returned, body) = (cached.returned(), &cached.function.body);
    let asyncness = &cached.function.signature.asyncness;
    let parameters = cached.parameters.iter().map(|parameter| {
        let (pattern, ty) = (
            &parameter.pattern,
            signature::without_lifetimes(cached, &parameter.ty),
        );
        code!(#pattern: #ty)
    });
    code!(#asyncness |#(#parameters),*| -> #returned #body)
}

/// The body after bindings of the user's patterns. Between the user's braces it is the user's for lints, which then say what it
/// makes no use of.
fn with_bindings(cached: &Cached, first: Option<TokenStream>) -> Group {
    let bindings = cached.parameters.iter().map(|parameter| {
        let (attributes, pattern, name) =
            (&parameter.attributes, &parameter.pattern, &parameter.name);
        code!(#[allow(clippy::shadow_reuse, clippy::shadow_same)] #(#attributes)* let #pattern = #name;)
    });
    let body = cached.function.body.stream();
    let mut braced = Group::new(Delimiter::Brace, code!(#first #(#bindings)* #body));
    braced.set_span(cached.function.body.span());
    braced
}
