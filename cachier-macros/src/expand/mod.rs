//! Phase four: generates a cached function's code, which is thin, as all logic is in the runtime.
//!
//! The macro's own identifiers have `mixed_site` hygiene, so they cannot collide with the user's.

mod arguments;
mod attributes;
mod call;
mod companion_enum;
mod companion_function;
mod dispatch;
mod fallback;
mod options;
mod own_key;
mod quoting;
mod returned;
mod signature;
mod site;
mod stored;
#[cfg(test)]
mod tests;
mod without_companion;

use proc_macro2::TokenStream;

pub(crate) use self::fallback::fallback;
use self::quoting::{Place, code, krate_at};
use crate::model::{Cached, CompanionKind};

/// The wrapper, with all other generated items.
pub(crate) fn expand(cached: &Cached) -> TokenStream {
    match &cached.companion {
        CompanionKind::Enum(companion) => {
            let dispatch = code!(#companion::__dispatch);
            let wrapper = call::wrapper(cached, &code!(#companion::__site()), &dispatch);
            let companion = companion_enum::companion(cached, companion);
            code!(#wrapper #companion)
        }
        CompanionKind::Function(companion) => {
            let names = companion_function::Names::of(cached);
            let (site, dispatch) = (&names.site, &names.dispatch);
            let wrapper = call::wrapper(cached, &code!(Self::#site()), &code!(Self::#dispatch));
            let siblings = companion_function::siblings(cached, &names, companion);
            code!(#wrapper #siblings)
        }
        CompanionKind::None => without_companion::whole(cached),
    }
}
