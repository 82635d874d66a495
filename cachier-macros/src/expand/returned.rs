//! Handling of the return value.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{ExprClosure, ReturnType};

use super::quoting::{SpanRange, code, krate_at};
use crate::model::{Age, Cached, OnBackendError, Store, is_off};

/// Where errors about the return type point.
pub(super) fn span_range(cached: &Cached) -> SpanRange {
    match &cached.function.signature.output {
        ReturnType::Default => SpanRange::over(&cached.function.signature.ident),
        ReturnType::Type(_, ty) => SpanRange::over(ty),
    }
}

/// The expression of the return type, with an answer to whether its value can be kept.
pub(super) fn return_type(cached: &Cached) -> TokenStream {
    let (at, returned) = (span_range(cached), cached.returned());
    let krate = krate_at(cached, at.first);
    let with_none = cached.allows_none().then(|| code!(.with_none()));
    let kept = match cached.store {
        Store::Memory if cached.is_bounded_by_bytes() => code!(in_bounded_memory),
        Store::Memory => code!(in_memory),
        Store::Persistent => code!(in_store),
        Store::Near => code!(in_both),
    };
    let kind = quote_spanned!(at.first=> #krate::__returned::<#returned>().kind());
    quote_spanned!(at.last=> #kind #with_none.#kept())
}

/// The expression of the spec for values of a shape.
pub(super) fn spec(cached: &Cached, return_type: &TokenStream) -> TokenStream {
    let (krate, a) = (&cached.krate, cached.arguments);
    let (spec, measured) = match (cached.store, cached.is_bounded_by_bytes()) {
        (Store::Memory, false) => (code!(#krate::__measuring!(#return_type)), None),
        (Store::Memory, true) => (new_spec(cached, return_type), Some(code!(.measured()))),
        _ if is_off(&a.verify) => (new_spec(cached, return_type), None),
        _ => (code!(#krate::__verifying!(#return_type)), None),
    };
    let cache_if = a.cache_if.as_ref().map(|argument| {
        let closure = &argument.value.0;
        code!(.cache_if(#closure))
    });
    let own_limits = a
        .stale_after
        .as_ref()
        .and_then(|argument| match &argument.value {
            Age::OfEach(closure) => Some(own_limits(cached, closure)),
            Age::OfAll(_) => None,
        });
    let reaction = a.on_backend_error.as_ref();
    let propagating = reaction
        .filter(|argument| argument.value == OnBackendError::Propagate)
        .map(|argument| {
            // Errors point at what asks for it.
            let span = argument.span();
            let krate = krate_at(cached, span);
            quote_spanned!(span.resolved_at(Span::mixed_site())=> .propagating(#krate::__private::propagated))
        });
    code!(#spec #measured #cache_if #own_limits #propagating)
}

/// The setter of a limit for each value. Errors about what the closure returns point at all of its body, and those about the
/// closure as a whole at all of it.
fn own_limits(cached: &Cached, closure: &ExprClosure) -> TokenStream {
    let at = SpanRange::over(&closure.body);
    let krate = krate_at(cached, at.first);
    let limit = quote_spanned!(at.last=> own_limit);
    let limit = quote_spanned!(at.first=> #krate::__private::#limit);
    let value = code!(value);
    let limit_of_value = quote_spanned!(at.last=> #limit(#value, #closure));
    let function = quote_spanned!(SpanRange::over(closure).first=> |#value| #limit_of_value);
    code!(.stale_after(#function))
}

fn new_spec(cached: &Cached, return_type: &TokenStream) -> TokenStream {
    let krate = &cached.krate;
    code!(#krate::__private::ValueSpec::new(#return_type.unchecked()))
}
