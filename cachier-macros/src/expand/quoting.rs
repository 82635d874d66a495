//! Quoting of generated code.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;

use crate::model::Cached;

/// Quotes code with the macro's hygiene.
macro_rules! code {
    ($($tokens:tt)*) => { ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*) };
}
pub(super) use code;

/// Where generated code begins and ends for the compiler's messages, so that they point at all of the user's code.
#[derive(Clone, Copy)]
pub(super) struct SpanRange {
    pub(super) first: Span,
    pub(super) last: Span,
}

impl SpanRange {
    /// All of these tokens. Both ends are resolved as the path of the runtime crate is, without which the compiler points at
    /// the first one only.
    pub(super) fn over(tokens: impl ToTokens) -> Self {
        let mut spans = tokens
            .into_token_stream()
            .into_iter()
            .map(|token| token.span().resolved_at(Span::call_site()));
        let first = spans.next().unwrap_or_else(Span::call_site);
        Self {
            first,
            last: spans.last().unwrap_or(first),
        }
    }
}

/// The path of the runtime crate, for code whose errors point at the user's code.
pub(super) fn krate_at(cached: &Cached, span: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    cached.krate.clone().into_iter().map(located).collect()
}
