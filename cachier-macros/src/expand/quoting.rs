//! How code is quoted.

use proc_macro2::{Span, TokenStream, TokenTree};

use crate::model::Cached;

/// Quotes code whose own names are the macro's.
macro_rules! code {
    ($($tokens:tt)*) => { ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*) };
}
pub(super) use code;

/// The path of the runtime crate, for code that is to be blamed on a place of the user's.
pub(super) fn krate_at(cached: &Cached, span: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    cached.krate.clone().into_iter().map(located).collect()
}
