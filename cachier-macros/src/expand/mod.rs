//! Fourth phase: a cached function becomes code. The code is thin; all logic is in the runtime.
//!
//! Identifiers of the macro have `mixed_site` hygiene, so that no name of the user's meets them.

mod arguments;
mod attributes;
mod beside_free;
mod beside_method;
mod call;
mod dispatch;
mod fallback;
mod in_function;
mod options;
mod returned;
mod signature;
mod site;
mod stored;
#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream, TokenTree};

pub(crate) use self::fallback::fallback;
use crate::model::{Beside, Cached};

/// Quotes code whose own names are the macro's.
macro_rules! code {
    ($($tokens:tt)*) => { ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*) };
}
use code;

/// The path of the runtime crate, for code that is to be blamed on a place of the user's.
fn krate_at(cached: &Cached, place: Span) -> TokenStream {
    let located = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    cached.krate.clone().into_iter().map(located).collect()
}

/// The function as a thin wrapper, with what stands beside it.
pub(crate) fn expand(cached: &Cached) -> TokenStream {
    match &cached.beside {
        Beside::Enum(companion) => {
            let dispatch = code!(#companion::__dispatch);
            let wrapper = call::wrapper(cached, &code!(#companion::__site()), &dispatch);
            let companion = beside_free::companion(cached, companion);
            code!(#wrapper #companion)
        }
        Beside::Sibling(companion) => {
            let names = beside_method::Names::of(cached);
            let (site, dispatch) = (&names.site, &names.dispatch);
            let wrapper = call::wrapper(cached, &code!(Self::#site()), &code!(Self::#dispatch));
            let siblings = beside_method::siblings(cached, &names, companion);
            code!(#wrapper #siblings)
        }
        Beside::Nothing => in_function::whole(cached),
    }
}
