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
mod quoting;
mod returned;
mod signature;
mod site;
mod stored;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

pub(crate) use self::fallback::fallback;
use self::quoting::{code, krate_at};
use crate::model::{Beside, Cached};

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
