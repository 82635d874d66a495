//! Quoting of generated code.

use proc_macro2::{Span, TokenStream, TokenTree};

use crate::model::Cached;

/// Quotes code with the macro's hygiene.
macro_rules! code {
    ($($tokens:tt)*) => { ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*) };
}
pub(super) use code;

/// The path of the runtime crate, for code whose errors point at the user's code.
pub(super) fn krate_at(cached: &Cached, span: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    cached.krate.clone().into_iter().map(located).collect()
}
