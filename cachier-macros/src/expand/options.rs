//! The attribute's arguments as the runtime's options, one field each.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use super::quoting::{SpanRange, krate_at};
use crate::fingerprint::fingerprint;
use crate::model::{
    Age, Amount, Argument, Backend, BuiltIn, Cached, Flag, OnBackendError, Percentage, Rate,
    RefreshAfter, Store, Switch, Time, Version,
};

/// The expression of the function's options.
pub(super) fn options(cached: &Cached) -> TokenStream {
    let a = cached.arguments;
    let private = &private(cached);
    let fields = [
        (
            "backend",
            value(&a.backend).map(|name| backend(name, private)),
        ),
        ("version", version(cached, private)),
        ("name", value(&a.name).map(|name| some(&name.0))),
        ("policy", value(&a.policy).map(|name| some(&name.0))),
        ("stale_after", age_of_all(&a.stale_after)),
        ("age_limits", age_limits(&a.stale_after, private)),
        ("jitter", jitter(cached, private)),
        (
            "refresh_after",
            value(&a.refresh_after).map(|after| refresh_after(cached, after)),
        ),
        (
            "next_time",
            value(&a.next_time).map(|on| switch(*on, private)),
        ),
        ("max_stale", time(&a.max_stale)),
        ("stale_on_error", time(&a.stale_on_error)),
        ("retry_after", time(&a.retry_after)),
        ("wait_for_calc_timeout", time(&a.wait_for_calc_timeout)),
        ("allow_none", flag(&a.allow_none).map(some)),
        (
            "entry_size_limit",
            value(&a.entry_size_limit).map(|size| amount(&size.0)),
        ),
        ("cleanup_stale", flag(&a.cleanup_stale).map(some)),
        ("cleanup_interval", time(&a.cleanup_interval)),
        ("capacity", value(&a.capacity).map(|count| amount(&count.0))),
        (
            "capacity_bytes",
            value(&a.capacity_bytes).map(|size| amount(&size.0)),
        ),
        (
            "near_cache",
            value(&a.near_cache).map(|count| amount(&count.0)),
        ),
        ("near_stale_after", time(&a.near_stale_after)),
        ("cache_dir", value(&a.cache_dir).map(|path| folder(&path.0))),
        ("verify", flag(&a.verify).map(some)),
        ("operation_timeout", time(&a.operation_timeout)),
        (
            "on_backend_error",
            value(&a.on_backend_error).map(|on| reaction(*on, private)),
        ),
        ("metrics", metrics(cached, private)),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| {
        let (name, value) = (format_ident!("{name}"), value?);
        Some(quote!(#name: #value,))
    });
    quote!(#private::Options { #(#fields)* ..#private::Options::new() })
}

fn value<T>(argument: &Option<Argument<T>>) -> Option<&T> {
    argument.as_ref().map(|argument| &argument.value)
}

fn backend(backend: &Backend, private: &TokenStream) -> TokenStream {
    match backend {
        Backend::BuiltIn(BuiltIn::Memory) => quote!(#private::BackendName::Memory),
        Backend::BuiltIn(backend) => {
            let name = backend.name();
            quote!(#private::BackendName::Named(#name))
        }
        Backend::Registered(name) => quote!(#private::BackendName::Named(#name)),
    }
}

/// The version part of stored keys. Values in memory do not outlive the code.
fn version(cached: &Cached, private: &TokenStream) -> Option<TokenStream> {
    if cached.store == Store::Memory {
        return None;
    }
    match value(&cached.arguments.version) {
        Some(Version::None) => None,
        Some(Version::Fixed(number)) => Some(quote!(#private::Version::Number(#number))),
        None | Some(Version::Auto) => {
            let (signature, body) = (&cached.function.signature, &cached.function.body);
            let hash = fingerprint(quote!(#signature #body));
            Some(quote!(#private::Version::Code(#hash)))
        }
    }
}

fn age_of_all(argument: &Option<Argument<Age>>) -> Option<TokenStream> {
    match value(argument)? {
        Age::OfAll(time) => Some(some(duration(time))),
        Age::OfEach(_) => None,
    }
}

fn age_limits(argument: &Option<Argument<Age>>, private: &TokenStream) -> Option<TokenStream> {
    let is_of_each = matches!(value(argument)?, Age::OfEach(_));
    is_of_each.then(|| quote!(#private::AgeLimits::OfValues))
}

fn jitter(cached: &Cached, private: &TokenStream) -> Option<TokenStream> {
    Some(some(match value(&cached.arguments.jitter)? {
        Percentage::Known(millionths) => quote!(#private::Share::of_millionths(#millionths)),
        Percentage::Computed(share) => {
            let (span, krate) = (at(share), krate_at(cached, at(share)));
            let ty = quote_spanned!(span=> #krate::__private::Share);
            constant(span, &ty, &quote!(#share))
        }
    }))
}

fn refresh_after(cached: &Cached, after: &RefreshAfter) -> TokenStream {
    let private = private(cached);
    let after = match after {
        RefreshAfter::Auto => return quote!(#private::EarlyRefresh::Auto),
        RefreshAfter::Never => return quote!(#private::EarlyRefresh::Never),
        RefreshAfter::Early => quote!(#private::RefreshAfter::Early),
        RefreshAfter::Age(Time::Computed(age_or_share)) => {
            let at = SpanRange::over(age_or_share);
            let krate = krate_at(cached, at.first);
            let from = quote_spanned!(at.last=> from(#age_or_share));
            // Of whichever type, it is checked even if the function is never called.
            let checked = quote_spanned!(at.first=> const _: () = { let _ = #age_or_share; };);
            let given = quote_spanned!(at.first=> #krate::__private::RefreshAfter::#from);
            quote_spanned!(at.first=> { #checked #given })
        }
        RefreshAfter::Age(known) => {
            let age = duration(known);
            quote!(#private::RefreshAfter::Age(#age))
        }
        RefreshAfter::Share(millionths) => {
            quote!(#private::RefreshAfter::Share(#private::Share::of_millionths(#millionths)))
        }
    };
    quote!(#private::EarlyRefresh::After(#after))
}

fn time(argument: &Option<Argument<Time>>) -> Option<TokenStream> {
    value(argument).map(duration).map(some)
}

fn duration(time: &Time) -> TokenStream {
    match time {
        Time::Known(duration) => {
            // Durations in the attribute are whole milliseconds within range.
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            quote!(::core::time::Duration::from_millis(#milliseconds))
        }
        Time::Computed(expr) => typed(expr, quote_spanned!(at(expr)=> ::core::time::Duration)),
    }
}

fn amount(amount: &Amount) -> TokenStream {
    match amount {
        Amount::Known(number) => some(number),
        Amount::Computed(expr) => some(typed(
            expr,
            quote_spanned!(at(expr)=> ::core::primitive::u64),
        )),
    }
}

/// The user's expression with its type ahead of all that is done with it, so that errors speak of nothing else.
fn typed(expr: &Expr, ty: TokenStream) -> TokenStream {
    quote_spanned!(at(expr)=> { let value: #ty = #expr; value })
}

fn flag(argument: &Option<Argument<Flag>>) -> Option<TokenStream> {
    let value = value(argument)?.0;
    Some(quote!(#value))
}

fn switch(switch: Switch, private: &TokenStream) -> TokenStream {
    match switch {
        Switch::Never => quote!(#private::Switch::Never),
        Switch::On => quote!(#private::Switch::On),
        Switch::Auto => quote!(#private::Switch::Auto),
    }
}

fn folder(folder: &Expr) -> TokenStream {
    some(quote_spanned!(at(folder)=> ::std::path::PathBuf::from(#folder)))
}

fn reaction(reaction: OnBackendError, private: &TokenStream) -> TokenStream {
    match reaction {
        OnBackendError::Compute => quote!(#private::OnBackendError::Compute),
        OnBackendError::Propagate => quote!(#private::OnBackendError::Propagate),
    }
}

fn metrics(cached: &Cached, private: &TokenStream) -> Option<TokenStream> {
    if !cached.has_metrics() {
        return None;
    }
    Some(some(match value(&cached.arguments.sampling_rate) {
        None | Some(Rate::Auto) => quote!(#private::SamplingRate::AUTO),
        Some(Rate::Known(rate)) => quote!(const { #private::SamplingRate::new(#rate) }),
        Some(Rate::Computed(rate)) => {
            let (span, krate) = (at(rate), krate_at(cached, at(rate)));
            let ty = quote_spanned!(span=> #krate::__private::SamplingRate);
            constant(span, &ty, &quote_spanned!(span=> #ty::new(#rate)))
        }
    }))
}

/// A constant is checked even if the function is never called.
fn constant(span: Span, ty: &TokenStream, value: &TokenStream) -> TokenStream {
    quote_spanned!(span=> { const OF_ATTRIBUTE: #ty = #value; OF_ATTRIBUTE })
}

/// A span that makes the compiler's messages about a value point at the user's expression.
fn at(expr: &Expr) -> Span {
    expr.span().resolved_at(Span::mixed_site())
}

fn some(value: impl quote::ToTokens) -> TokenStream {
    quote!(::core::option::Option::Some(#value))
}

fn private(cached: &Cached) -> TokenStream {
    let krate = &cached.krate;
    quote!(#krate::__private)
}
